/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * unwind: see unwind.h. libdw's unwinder over the registers and memory that the caller has.
 *
 * libdw's view of a process (struct Dwfl) costs milliseconds to make, so some are kept, the one that was used last in front. A file
 * joins it when a walk first comes to an address in it: struct spaces says which that is, so the process may have gone already. Where
 * another file lies at an address now (execve, dlclose), the view is made anew. Files with debugging information are not looked for,
 * neither here nor on servers: .eh_frame is in the program.
 */
#include <elfutils/libdwfl.h>
#include <elf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/unwind.h"

#define PROCESSES_MAX 16
#define FILES_A_WALK  64 /* that are new to a process; the frames behind wait for the next walk */

struct process {
	struct process *next;
	uint32_t pid;
	Dwfl *dwfl;
	bool attached;    /* libdw knows the machine: it has a file */
	uint64_t no_file; /* an address that was in no file, when all were looked at */
};

struct unwinder {
	struct process *first;
	const struct unwind_job *job; /* the one in progress */
	uint32_t n;                   /* its frames so far */
};

struct unwinder *
unwinder_open(struct text *why)
{
	struct unwinder *unwinder = mem_alloc(sizeof(*unwinder));

	if (unwinder)
		elf_version(EV_CURRENT);
	else
		text_puts(why, "no memory for unwinding");
	return unwinder;
}

static void
process_free(struct process *process)
{
	if (process->dwfl)
		dwfl_end(process->dwfl);
	free(process);
}

static void
forget(struct unwinder *unwinder, uint32_t pid)
{
	for (struct process **at = &unwinder->first; *at; at = &(*at)->next) {
		struct process *process = *at;

		if (process->pid != pid)
			continue;
		*at = process->next;
		process_free(process);
		return;
	}
}

void
unwinder_close(struct unwinder *unwinder)
{
	while (unwinder && unwinder->first)
		forget(unwinder, unwinder->first->pid);
	free(unwinder);
}

/* ---- what libdw asks ----------------------------------------------------------------------------- */

/* The one thread that is asked about has been named already. */
static pid_t
next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	return 0;
}

static bool
get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	*thread_arg = arg;
	return true;
}

static bool
read_word(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
	const struct unwind_job *job = ((struct unwinder *)arg)->job;
	uint64_t word;
	bool done = job->read(job->arg, addr, &word);

	*result = done ? word : 0;
	return done;
}

static bool
set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct unwind_job *job = ((struct unwinder *)arg)->job;
	Dwarf_Word values[UNWIND_REGISTERS];

	for (unsigned i = 0; i < UNWIND_REGISTERS; i++)
		values[i] = job->regs[i];
	return dwfl_thread_state_registers(thread, 0, UNWIND_REGISTERS, values);
}

static int
no_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, char **path, Elf **elf)
{
	return -1; /* each comes with its descriptor */
}

static int
no_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file, const char *link, GElf_Word sum,
	      char **found)
{
	return -1;
}

static const Dwfl_Callbacks files = { .find_elf = no_file, .find_debuginfo = no_debug_file };
static const Dwfl_Thread_Callbacks threads = {
	.next_thread = next_thread, .get_thread = get_thread, .memory_read = read_word, .set_initial_registers = set_registers,
};

/* ---- files --------------------------------------------------------------------------------------- */

/* The kernel's code in every process: the one in ours is the same. libdw wants it as a file. */
static int
open_vdso(void)
{
	const void *start = (const void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = start;
	size_t len = start ? header->e_shoff + (size_t)header->e_shnum * header->e_shentsize : 0;
	int fd = start ? memfd_create("vdso", MFD_CLOEXEC) : -1;

	if (fd >= 0 && write(fd, start, len) != (ssize_t)len) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
open_file(const struct mapped_file *file)
{
	if (strcmp(file->path, "[vdso]") == 0)
		return open_vdso();
	return file->fd >= 0 ? dup(file->fd) : mapped_file_open(file);
}

/* The file's own address of a place in it, as its segments say. */
static bool
address_in_file(int fd, uint64_t offset, uint64_t *address)
{
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	GElf_Phdr segment;
	size_t n = 0;
	bool found = false;

	if (!elf || elf_getphdrnum(elf, &n) < 0)
		n = 0;
	for (size_t i = 0; i < n && !found; i++) {
		found = gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD && offset >= segment.p_offset &&
			offset - segment.p_offset < segment.p_filesz;
		if (found)
			*address = segment.p_vaddr + (offset - segment.p_offset);
	}
	elf_end(elf);
	return found;
}

/* Adds the file that an address lies in. */
static bool
add_file(struct unwinder *unwinder, struct process *process, uint64_t addr, const struct place *place)
{
	int fd = open_file(place->file);
	Dwfl_Module *module = NULL;
	uint64_t address;
	void **data;

	if (fd < 0)
		return false;
	if (address_in_file(fd, place->offset, &address)) {
		dwfl_report_begin_add(process->dwfl);
		module = dwfl_report_elf(process->dwfl, place->file->path, place->file->path, fd, addr - address, true);
		dwfl_report_end(process->dwfl, NULL, NULL);
	}
	if (!module) {
		close(fd); /* of which a module is the owner */
		return false;
	}
	dwfl_module_info(module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
	*data = (void *)(uintptr_t)place->file;
	if (!process->attached)
		process->attached = dwfl_attach_state(process->dwfl, NULL, (pid_t)process->pid, &threads, unwinder);
	return process->attached && dwfl_addrmodule(process->dwfl, addr) == module;
}

/* ---- a process ----------------------------------------------------------------------------------- */

static struct process *
process_new(uint32_t pid)
{
	struct process *process = mem_alloc(sizeof(*process));

	if (!process)
		return NULL;
	process->pid = pid;
	process->dwfl = dwfl_begin(&files);
	if (process->dwfl)
		return process;
	process_free(process);
	return NULL;
}

/* The process, in front of the others now. NULL: no memory. */
static struct process *
process_get(struct unwinder *unwinder, uint32_t pid)
{
	struct process **at = &unwinder->first, *process;
	unsigned n = 0;

	for (; *at && (*at)->pid != pid; at = &(*at)->next)
		if (++n == PROCESSES_MAX) {
			forget(unwinder, (*at)->pid); /* the one used longest ago, at the end */
			break;
		}
	process = *at;
	if (process)
		*at = process->next;
	else
		process = process_new(pid);
	if (!process)
		return NULL;
	process->next = unwinder->first;
	unwinder->first = process;
	return process;
}

/* ---- the walk ------------------------------------------------------------------------------------ */

static int
take_frame(Dwfl_Frame *frame, void *arg)
{
	struct unwinder *unwinder = arg;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, NULL) || !pc)
		return DWARF_CB_ABORT;
	unwinder->job->addrs[unwinder->n++] = pc;
	return unwinder->n < unwinder->job->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static void
take_frames(struct unwinder *unwinder, struct process *process)
{
	unwinder->n = 0;
	/* Its result says how the walk ended, not whether there are frames. */
	if (process->attached)
		dwfl_getthread_frames(process->dwfl, (pid_t)process->pid, take_frame, unwinder);
	if (unwinder->n == 0)
		unwinder->job->addrs[unwinder->n++] = unwinder->job->regs[UNWIND_REGISTERS - 1];
}

/* The address that says where a frame is: that of one which made a call may be behind its function's end. */
static uint64_t
inside(const struct unwind_job *job, uint32_t frame)
{
	return job->addrs[frame] - (frame > 0);
}

static bool
find_place(const struct unwind_job *job, uint64_t addr, struct place *place)
{
	if (spaces_find(job->spaces, job->pid, addr, place))
		return true;
	job->learn(job->arg);
	return spaces_find(job->spaces, job->pid, addr, place);
}

enum news { NOTHING_NEW, NEW_FILE, OTHER_FILE };

/* Looks whether libdw knew the right file for each frame; adds the first one that it did not know. */
static enum news
look_at_files(struct unwinder *unwinder, struct process *process)
{
	const struct unwind_job *job = unwinder->job;
	struct place place;

	for (uint32_t i = 0; i < unwinder->n; i++) {
		uint64_t addr = inside(job, i);
		Dwfl_Module *module = dwfl_addrmodule(process->dwfl, addr);
		void **data = NULL;

		if (module) {
			dwfl_module_info(module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
			if (spaces_find(job->spaces, job->pid, addr, &place) && *data != place.file)
				return OTHER_FILE;
			continue;
		}
		if (addr == process->no_file)
			return NOTHING_NEW;
		if (find_place(job, addr, &place) && add_file(unwinder, process, addr, &place))
			return NEW_FILE;
		process->no_file = addr;
		return NOTHING_NEW;
	}
	return NOTHING_NEW;
}

uint32_t
unwinder_walk(struct unwinder *unwinder, const struct unwind_job *job)
{
	struct process *process = process_get(unwinder, job->pid);
	enum news news = process ? NEW_FILE : NOTHING_NEW;
	bool renewed = false;

	unwinder->job = job;
	unwinder->n = 0;
	for (unsigned n = 0; news == NEW_FILE && n < FILES_A_WALK; n++) {
		take_frames(unwinder, process);
		news = look_at_files(unwinder, process);
		if (news != OTHER_FILE || renewed)
			continue;
		forget(unwinder, job->pid);
		process = process_get(unwinder, job->pid);
		renewed = true;
		news = process ? NEW_FILE : NOTHING_NEW;
	}
	if (unwinder->n == 0)
		job->addrs[unwinder->n++] = job->regs[UNWIND_REGISTERS - 1];
	return unwinder->n;
}

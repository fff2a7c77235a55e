/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * User stacks by call frame information (.eh_frame, DWARF 5 section 6.4), which programs have whether they were made with frame pointers
 * or not: libdw's unwinder, over the registers and the memory of a stopped thread.
 *
 * libdw's view of a process (struct Dwfl) costs milliseconds to make, so some are kept, the one that was used last in front. It is
 * renewed where a frame lies in no file that it knows (dlopen), and dropped by an execve. Files with debugging information are not
 * looked for, neither here nor on servers: .eh_frame is in the program.
 */
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>

#include "source/ptrace_int.h"

#define PROCESSES_MAX 16
#define REGISTERS     17 /* of x86-64, in the order of its ABI supplement, the instruction pointer last */

struct process {
	struct process *next;
	pid_t pid;
	Dwfl *dwfl;
	uint64_t no_file; /* an address that was in no file, when all were looked at */
};

struct dwarf {
	struct tracer *tracer;
	struct process *first;
	const struct user_regs_struct *regs; /* of the thread whose stack is taken, */
	uint64_t *addrs;                     /* and where to */
	uint32_t n, max;
};

struct dwarf *
dwarf_open(struct tracer *tracer, struct text *why)
{
	struct dwarf *dwarf = mem_alloc(sizeof(*dwarf));

	if (dwarf)
		dwarf->tracer = tracer;
	else
		text_puts(why, "no memory for unwinding");
	return dwarf;
}

static void
process_free(struct process *process)
{
	if (process->dwfl)
		dwfl_end(process->dwfl);
	free(process);
}

void
dwarf_forget(struct dwarf *dwarf, pid_t pid)
{
	for (struct process **at = &dwarf->first; *at; at = &(*at)->next) {
		struct process *process = *at;

		if (process->pid != pid)
			continue;
		*at = process->next;
		process_free(process);
		return;
	}
}

void
dwarf_close(struct dwarf *dwarf)
{
	while (dwarf && dwarf->first)
		dwarf_forget(dwarf, dwarf->first->pid);
	free(dwarf);
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
	struct dwarf *dwarf = arg;

	return task_read_memory(dwarf->tracer, addr, result, sizeof(*result)) == sizeof(*result);
}

static bool
set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct user_regs_struct *r = ((struct dwarf *)arg)->regs;
	const Dwarf_Word values[REGISTERS] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
					       r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip };

	return dwfl_thread_state_registers(thread, 0, REGISTERS, values);
}

static int
no_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, const char *file, const char *link, GElf_Word sum,
	      char **found)
{
	return -1;
}

static const Dwfl_Callbacks files = { .find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = no_debug_file };
static const Dwfl_Thread_Callbacks threads = {
	.next_thread = next_thread, .get_thread = get_thread, .memory_read = read_word, .set_initial_registers = set_registers,
};

/* ---- a process ----------------------------------------------------------------------------------- */

static bool
read_files(struct process *process)
{
	dwfl_report_begin(process->dwfl);
	return dwfl_linux_proc_report(process->dwfl, process->pid) == 0 && dwfl_report_end(process->dwfl, NULL, NULL) == 0;
}

static struct process *
process_new(struct dwarf *dwarf, pid_t pid)
{
	struct process *process = mem_alloc(sizeof(*process));

	if (!process)
		return NULL;
	process->pid = pid;
	process->dwfl = dwfl_begin(&files);
	if (process->dwfl && read_files(process) && dwfl_attach_state(process->dwfl, NULL, pid, &threads, dwarf))
		return process;
	process_free(process);
	return NULL;
}

/* The process, in front of the others now. NULL: libdw cannot read it. */
static struct process *
process_get(struct dwarf *dwarf, pid_t pid)
{
	struct process **at = &dwarf->first, *process;
	unsigned n = 0;

	for (; *at && (*at)->pid != pid; at = &(*at)->next)
		if (++n == PROCESSES_MAX) {
			dwarf_forget(dwarf, (*at)->pid); /* the one used longest ago, at the end */
			break;
		}
	process = *at;
	if (process)
		*at = process->next;
	else
		process = process_new(dwarf, pid);
	if (!process)
		return NULL;
	process->next = dwarf->first;
	dwarf->first = process;
	return process;
}

static int
take_frame(Dwfl_Frame *frame, void *arg)
{
	struct dwarf *dwarf = arg;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, NULL) || !pc)
		return DWARF_CB_ABORT;
	dwarf->addrs[dwarf->n++] = pc;
	return dwarf->n < dwarf->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* An address of the stack that lies in no file; 0: there is none. */
static uint64_t
stray_address(const struct process *process, const uint64_t *addrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!dwfl_addrmodule(process->dwfl, addrs[i]))
			return addrs[i];
	return 0;
}

int64_t
dwarf_unwind(struct dwarf *dwarf, pid_t pid, pid_t tid, const struct user_regs_struct *regs, uint64_t *addrs, uint32_t max)
{
	struct process *process = process_get(dwarf, pid);
	uint64_t stray;

	dwarf->regs = regs;
	dwarf->addrs = addrs;
	dwarf->max = max;
	dwarf->n = 0;
	/* Its result says how the walk ended, not whether there are frames. */
	if (process)
		dwfl_getthread_frames(process->dwfl, tid, take_frame, dwarf);
	stray = process ? stray_address(process, addrs, dwarf->n) : 0;
	if (stray && stray != process->no_file) {
		process->no_file = stray;
		dwarf->n = 0;
		if (read_files(process))
			dwfl_getthread_frames(process->dwfl, tid, take_frame, dwarf);
	}
	if (dwarf->n == 0)
		addrs[dwarf->n++] = regs->rip;
	return dwarf->n;
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The traced threads by thread id, and who they are: process, user, name, read from /proc once and remembered until something
 * may have changed them. Relies on procfs; where that is not mounted, process and thread id count as equal and names are empty.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "source/ptrace_int.h"

/* ---- the set of tasks --------------------------------------------------------------------------------------- */

static struct task **
slot(struct tracer *tracer, pid_t tid)
{
	struct task **at = &tracer->tasks[(unsigned)tid % TASK_BUCKETS];

	while (*at && (*at)->tid != tid)
		at = &(*at)->next;
	return at;
}

struct task *
task_find(struct tracer *tracer, pid_t tid)
{
	return *slot(tracer, tid);
}

struct task *
task_get(struct tracer *tracer, pid_t tid)
{
	struct task **at = slot(tracer, tid);

	if (*at)
		return *at;
	*at = mem_alloc(sizeof(**at));
	if (!*at)
		return NULL;
	(*at)->tid = tid;
	(*at)->number = -1;
	(*at)->born_in = -1;
	tracer->n_tasks++;
	return *at;
}

void
task_remove(struct tracer *tracer, struct task *task)
{
	struct task **at = slot(tracer, task->tid);

	*at = task->next;
	tracer->n_tasks--;
	tracer->n_held -= task->is_held;
	free(task->exec_path);
	free(task);
}

struct task *
task_take_over(struct tracer *tracer, pid_t old_tid, pid_t tid)
{
	struct task *gone = task_find(tracer, tid), *task = task_find(tracer, old_tid), **at;

	if (old_tid == tid || !task)
		return task_get(tracer, tid);
	if (gone)
		task_remove(tracer, gone);
	at = slot(tracer, old_tid);
	*at = task->next;
	task->tid = tid;
	at = slot(tracer, tid);
	task->next = NULL;
	*at = task;
	return task;
}

void
tasks_free(struct tracer *tracer)
{
	size_t i;

	for (i = 0; i < TASK_BUCKETS; i++)
		while (tracer->tasks[i])
			task_remove(tracer, tracer->tasks[i]);
}

/* ---- who they are ---------------------------------------------------------------------------------------------- */

/* Reads a small file of /proc/TID into `text`, NUL-terminated. Returns its length, or -1. */
static ssize_t
read_proc(pid_t tid, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n;
}

/* What follows "NAME:" and blanks at the beginning of a line, or NULL. The first line (Name) holds foreign text: passed over. */
static const char *
status_line(const char *status, const char *name)
{
	size_t len = strlen(name);
	const char *line = status;

	while ((line = strchr(line, '\n'))) {
		line++;
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

static uint32_t
status_number(const char *status, const char *name, uint32_t absent)
{
	const char *line = status_line(status, name);

	return line ? (uint32_t)strtoul(line, NULL, 10) : absent;
}

uint64_t
task_signal_mask(pid_t tid, const char *name)
{
	char status[4096];
	const char *line;

	if (read_proc(tid, "status", status, sizeof(status)) <= 0)
		return 0;
	line = status_line(status, name);
	return line ? strtoull(line, NULL, 16) : 0;
}

static void
read_status(struct task *task)
{
	char status[4096] = "";

	read_proc(task->tid, "status", status, sizeof(status));
	if (!task->knows_tgid)
		task->tgid = (pid_t)status_number(status, "Tgid", (uint32_t)task->tid);
	task->uid = status_number(status, "Uid", 0);
	task->gid = status_number(status, "Gid", 0);
	task->knows_tgid = task->knows_ids = true;
}

static void
read_comm(struct task *task)
{
	char comm[64] = "";
	ssize_t n = read_proc(task->tid, "comm", comm, sizeof(comm));

	if (n > 0 && comm[n - 1] == '\n')
		comm[n - 1] = 0;
	memset(task->comm, 0, sizeof(task->comm));
	memcpy(task->comm, comm, strnlen(comm, sizeof(task->comm) - 1));
	task->knows_comm = true;
}

void
task_identify(struct task *task)
{
	if (!task->knows_tgid || !task->knows_ids)
		read_status(task);
	if (!task->knows_comm)
		read_comm(task);
}

void
task_forget(struct task *task)
{
	task->knows_ids = task->knows_comm = false;
}

void
task_inherit(struct task *child, const struct task *parent, bool same_process)
{
	child->knows_tgid = parent->knows_tgid || !same_process;
	child->tgid = same_process ? parent->tgid : child->tid;
	child->uid = parent->uid;
	child->gid = parent->gid;
	memcpy(child->comm, parent->comm, sizeof(child->comm));
	child->knows_ids = parent->knows_ids && !parent->is_stale;
	child->knows_comm = parent->knows_comm && !parent->is_stale;
}

/* ---- their memory ------------------------------------------------------------------------------------------------- */

#define PAGE_BYTES 4096
#define PAGES_A_CALL 16

/*
 * process_vm_readv(2) reads whole pieces only, so that what stands before unreadable memory is got by asking page by page.
 * Returns bytes read, 0 for none.
 */
static size_t
read_pages(pid_t tid, uint64_t addr, char *dst, size_t len)
{
	struct iovec to = { .iov_base = dst }, from[PAGES_A_CALL];
	size_t n = 0, piece;
	ssize_t got;

	while (n < PAGES_A_CALL && to.iov_len < len) {
		piece = PAGE_BYTES - (addr + to.iov_len) % PAGE_BYTES;
		if (piece > len - to.iov_len)
			piece = len - to.iov_len;
		/* An address of the traced process: never followed here. */
		from[n++] = (struct iovec){ (void *)(uintptr_t)(addr + to.iov_len), piece };
		to.iov_len += piece;
	}
	got = process_vm_readv(tid, &to, 1, from, n, 0);
	return got > 0 ? (size_t)got : 0;
}

/* Word by word, where process_vm_readv is forbidden or missing. The thread has to be stopped, as it is. */
static size_t
peek_words(pid_t tid, uint64_t addr, char *dst, size_t len)
{
	size_t done = 0, skip = addr % sizeof(long), piece;
	long word;

	while (done < len) {
		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, tid, (void *)(uintptr_t)(addr + done - skip), NULL);
		if (errno)
			break;
		piece = sizeof(word) - skip;
		if (piece > len - done)
			piece = len - done;
		memcpy(dst + done, (char *)&word + skip, piece);
		done += piece;
		skip = 0;
	}
	return done;
}

int64_t
task_read_memory(void *arg, uint64_t addr, void *dst, size_t len)
{
	struct tracer *tracer = arg;
	pid_t tid = (pid_t)tracer->engine.env.tid;
	size_t done = 0, got;

	if (addr + len < addr)
		return -EFAULT;
	while (done < len) {
		got = read_pages(tid, addr + done, (char *)dst + done, len - done);
		if (!got && errno != EFAULT)
			got = peek_words(tid, addr + done, (char *)dst + done, len - done);
		if (!got)
			break;
		done += got;
	}
	return done || !len ? (int64_t)done : -EFAULT;
}

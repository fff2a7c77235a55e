/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What programs in the kernel print with bpf_trace_printk. The kernel raises the event bpf_trace:bpf_trace_printk for each line; an
 * instance of tracefs of our own, in which only that event is on, has its lines and disturbs nobody. All programs of the machine raise the
 * same event: their lines come too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/ftrace.h"
#include "source/kernel_int.h"

#define LINES_AT_ONCE 65536 /* bytes */
#define LOST          "CPU:" /* "CPU:1 [LOST 7 EVENTS]" */
#define MARK          "bpf_trace_printk: "

struct printk {
	struct ftrace ftrace; /* the instance */
	int fd;
	char rest[LINES_AT_ONCE + 1]; /* read, and not yet a whole line */
	size_t len;
};

bool
printk_is_used(const struct bpf_insn *insns, size_t n)
{
	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *insn = &insns[pc];

		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 &&
		    (insn->imm == BPF_FUNC_trace_printk || insn->imm == BPF_FUNC_trace_vprintk))
			return true;
		if (insn_is_wide(insn))
			pc++;
	}
	return false;
}

static int
open_pipe(struct printk *printk)
{
	printk->fd = openat(printk->ftrace.dir, "trace_pipe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return printk->fd < 0 ? -errno : 0;
}

int
printk_open(struct printk **out, struct text *why)
{
	struct printk *printk = mem_alloc(sizeof(*printk));
	struct text cause = { 0 };
	int err;

	if (!printk) {
		text_puts(why, "what the programs print cannot be read: no memory");
		return -ENOMEM;
	}
	printk->fd = -1;
	err = ftrace_open_instance(&printk->ftrace, &cause);
	if (err == 0)
		err = ftrace_enable(&printk->ftrace, "bpf_trace", "bpf_trace_printk");
	if (err == 0)
		err = open_pipe(printk);
	if (err < 0) {
		if (!cause.len)
			text_printf(&cause, "event bpf_trace:bpf_trace_printk: %s", strerror(-err));
		text_printf(why, "what the programs print cannot be read: %s", cause.s);
		printk_close(printk);
	} else {
		*out = printk;
	}
	text_fini(&cause);
	return err;
}

int
printk_fd(const struct printk *printk)
{
	return printk->fd;
}

/* The second line of a text and those after it come without a head; empty ones are of texts that end in a newline. */
static bool
continues(const char *line, size_t len)
{
	return len > 0 && !(len > strlen(LOST) && memcmp(line, LOST, strlen(LOST)) == 0);
}

/* "            comm-123     [001] ..... 1.5: bpf_trace_printk: text" becomes "comm-123: text". */
static void
give_line(const char *line, size_t len, void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	const char *text = memmem(line, len, MARK, strlen(MARK)), *end = line + len, *whole = line, *task_end;
	struct text out = { 0 };

	while (line < end && *line == ' ')
		line++;
	for (task_end = line; task_end < end && *task_end != '['; task_end++)
		;
	while (task_end > line && task_end[-1] == ' ')
		task_end--;
	if (text) {
		text += strlen(MARK);
		text_printf(&out, "%.*s: %.*s\n", (int)(task_end - line), line, (int)(end - text), text);
		fn(arg, out.s, out.len);
	} else if (continues(whole, len)) {
		text_printf(&out, "%.*s\n", (int)len, whole);
		fn(arg, out.s, out.len);
	}
	text_fini(&out);
}

int
printk_pump(struct printk *printk, void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	char *line, *newline;
	ssize_t got;
	int n = 0;

	while ((got = read(printk->fd, printk->rest + printk->len, LINES_AT_ONCE - printk->len)) > 0) {
		printk->len += (size_t)got;
		for (line = printk->rest; (newline = memchr(line, '\n', printk->len - (size_t)(line - printk->rest))); line = newline + 1) {
			give_line(line, (size_t)(newline - line), fn, arg);
			n++;
		}
		printk->len -= (size_t)(line - printk->rest);
		memmove(printk->rest, line, printk->len);
		if (printk->len == LINES_AT_ONCE)
			printk->len = 0; /* no line is so long */
	}
	return n;
}

void
printk_close(struct printk *printk)
{
	if (!printk)
		return;
	if (printk->fd >= 0)
		close(printk->fd);
	ftrace_close(&printk->ftrace);
	free(printk);
}

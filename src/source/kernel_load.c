/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Loading units into the kernel, and saying in the user's terms why it refuses one.
 *
 * The first attempt carries neither log nor line information: it nearly always succeeds, and is then
 * fastest. A refused program is loaded again with both, for the message: the script's line, then the end
 * of the verifier's log.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define LOG_SIZE  (8u << 20)
#define LOG_LINES 8 /* shown of the log; all of it by -d kernel */

/* ---- refusals -------------------------------------------------------------------------------- */

/*
 * The text of the log's last line that quotes the script ("; text", since 6.9 "; text @ file:line"), or
 * NULL. The stub has none.
 */
static const char *
last_quote(const char *log, size_t *len)
{
	const char *line, *end, *text, *place, *found = NULL;

	for (line = log; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (line[0] != ';')
			continue;
		text = line + 1 + strspn(line + 1, " \t");
		if (text >= end || strncmp(text, "@ ", 2) == 0)
			continue;
		place = memmem(text, (size_t)(end - text), " @ ", 3);
		found = text;
		*len = (size_t)((place ? place : end) - text);
	}
	return found;
}

/* The first line of the script that reads so, from 1; 0: none. Older kernels quote without a line number. */
static uint32_t
line_of_text(const struct script *script, const char *text, size_t len)
{
	uint32_t line, line_len, skip;
	const char *s;

	for (line = 1; script && line <= script->n_lines; line++) {
		s = script_line_text(script, line, &line_len);
		for (skip = 0; skip < line_len && (s[skip] == ' ' || s[skip] == '\t'); skip++)
			;
		if (line_len - skip >= len && memcmp(s + skip, text, len) == 0)
			return line;
	}
	return 0;
}

static void
add_place(const struct script *script, const char *log, struct text *why)
{
	size_t len = 0;
	const char *quote = last_quote(log, &len);
	uint32_t line = quote ? line_of_text(script, quote, len) : 0;

	if (line)
		text_printf(why, " at %s:%u: %.*s", script->name, line, (int)len, quote);
	else if (quote)
		text_printf(why, " at: %.*s", (int)len, quote);
}

/* The last LOG_LINES lines before the verifier's statistics. */
static void
add_log_end(const char *log, struct text *why)
{
	const char *end = strstr(log, "processed "), *start;
	int lines = 0;

	if (!end)
		end = log + strlen(log);
	for (start = end; start > log && lines <= LOG_LINES; start--)
		lines += start[-1] == '\n';
	if (start > log)
		start++; /* behind the newline of the line before */
	for (; start < end; start++) {
		if (start == log || start[-1] == '\n')
			text_puts(why, "\n    ");
		if (*start != '\n')
			text_putc(why, *start);
	}
}

static void
explain_refusal(const struct kernel *kernel, const struct unit *unit, int err, const char *log,
		struct text *why)
{
	const char *cause = kernel_log_cause(log);

	if (!*log && (unit->kind == UNIT_FENTRY || unit->kind == UNIT_FEXIT)) {
		/* Others of our programs are taken, so it is not the privilege that is missing. */
		text_printf(why, "%s:%s: this kernel calls no programs at its functions directly (built without CONFIG_FUNCTION_TRACER, "
			    "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS): %s; probe:%s does not need that", unit_infos[unit->kind].name,
			    unit->events[0]->name, strerror(-err), unit->events[0]->name);
		return;
	}
	if (!cause && kernel_explain_lack(kernel->object, why))
		return;
	if (!*log) {
		kernel_explain(err, unit_infos[unit->kind].name, why);
		return;
	}
	text_printf(why, "the kernel refuses the program for %s", unit_infos[unit->kind].name);
	if (unit->n_events == 1)
		text_printf(why, " (%s)", unit->events[0]->name);
	if (cause) {
		text_printf(why, ": %s", cause);
		return;
	}
	add_place(kernel->object->script, log, why);
	/* Of such a log, old kernels keep the beginning, which is about registers. -EFAULT: where that of 5.10 loses its way in a long loop. */
	if (err == -E2BIG || err == -EFAULT) {
		text_printf(why, ": its verifier gives up, for it follows every way through a program%s",
			    !source_kernel_has_helper(BPF_FUNC_loop)
				    ? ", and every round of a loop where there is no helper for loops (Linux 5.17): fewer rounds, or --engine=user"
				    : ": fewer conditions in one handler, or --engine=user");
		return;
	}
	text_puts(why, "\nthe kernel says:");
	add_log_end(log, why);
}

/* ---- loading --------------------------------------------------------------------------------- */

static enum bpf_prog_type
unit_type(const struct unit *unit)
{
	return unit->btf_id ? BPF_PROG_TYPE_TRACING : unit_infos[unit->kind].type;
}

static int
load_image(const struct unit *unit, const struct image *image,
	   struct bpf_prog_load_opts *opts)
{
	int fd, module = unit->btf_module ? kernel_module_types(unit->btf_module) : -1;

	if (unit->btf_module && module < 0)
		return module;
	if (module >= 0)
		opts->attach_btf_obj_fd = (uint32_t)module;
	if (unit->btf_id) {
		opts->expected_attach_type = unit->kind == UNIT_FENTRY  ? BPF_TRACE_FENTRY
					     : unit->kind == UNIT_FEXIT ? BPF_TRACE_FEXIT
									: BPF_TRACE_RAW_TP;
		opts->attach_btf_id = unit->btf_id;
	} else if (unit->multi) {
		opts->expected_attach_type = kernel_multi_attach_type(unit->kind);
	}
	fd = bpf_prog_load(unit_type(unit), "ktap", PROGRAM_LICENSE, image->insns, image->n_insns, opts);
	if (module >= 0)
		close(module);
	return fd;
}

/*
 * Adds line information, where the object knows its script's lines. Returns the descriptor of its BTF, or
 * -1.
 */
static int
add_lines(const struct kernel *kernel, const struct image *image, struct btf_info *info,
	  struct bpf_prog_load_opts *opts)
{
	int fd;

	if (btf_for_program(kernel->object->script, image->funcs, image->n_funcs, info) < 0)
		return -1;
	fd = bpf_btf_load(info->btf, info->btf_len, NULL);
	if (fd < 0)
		return -1;
	opts->prog_btf_fd = (uint32_t)fd;
	opts->func_info = info->func_infos;
	opts->func_info_cnt = info->n_func_infos;
	opts->func_info_rec_size = sizeof(struct bpf_func_info);
	opts->line_info = info->line_infos;
	opts->line_info_cnt = info->n_line_infos;
	opts->line_info_rec_size = sizeof(struct bpf_line_info);
	return fd;
}

/* Loads again, for the reason. */
static int
load_to_explain(const struct kernel *kernel, const struct unit *unit, const struct image *image, int err,
		struct text *why)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = 1, .log_size = LOG_SIZE,
		    .log_buf = mem_alloc(LOG_SIZE));
	struct btf_info info = { 0 };
	int fd, btf_fd = add_lines(kernel, image, &info, &opts);

	fd = opts.log_buf ? load_image(unit, image, &opts) : err;
	if (fd < 0) {
		if (debug_on(DEBUG_KERNEL) && opts.log_buf)
			fprintf(stderr, "kernel: the verifier's log:\n%s", opts.log_buf);
		explain_refusal(kernel, unit, err, opts.log_buf ? opts.log_buf : "", why);
	}
	if (btf_fd >= 0)
		close(btf_fd);
	btf_info_fini(&info);
	free(opts.log_buf);
	return fd;
}

/* What the kernel made of a program: it inserts and replaces instructions. 0 where it does not say. */
static unsigned
translated(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return 0;
	return info.xlated_prog_len / (unsigned)sizeof(struct bpf_insn);
}

static void
tell_load(const struct unit *unit, const struct image *image)
{
	if (debug_on(DEBUG_KERNEL))
		fprintf(stderr, "kernel: BPF_PROG_LOAD %s type %d, %u instructions, %u translated: %d\n", unit_infos[unit->kind].name,
			unit_type(unit), image->n_insns, translated(unit->fd), unit->fd);
}

/* Loads a unit as it is planned. `why` NULL: a refusal needs no words. */
static int
load_once(struct kernel *kernel, struct unit *unit, struct text *why)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct arena *arena = arena_new();
	struct text unsaid = { 0 };
	struct image image;
	int err = kernel_image(kernel, unit, arena, &image, why ? why : &unsaid);

	if (err == 0) {
		unit->fd = load_image(unit, &image, &opts);
		if (unit->fd < 0 && why)
			unit->fd = load_to_explain(kernel, unit, &image, unit->fd, why);
		err = unit->fd < 0 ? unit->fd : 0;
		tell_load(unit, &image);
	}
	text_fini(&unsaid);
	arena_free(arena);
	return err;
}

int
kernel_load_unit(struct kernel *kernel, struct unit *unit, struct text *why)
{
	int err;

	if (unit->is_direct) {
		err = load_once(kernel, unit, NULL); /* there is another way: a kprobe */
		if (err == 0)
			return 0;
		kernel_direct_revert(unit, err);
	}
	return load_once(kernel, unit, why);
}

int
kernel_load(struct kernel *kernel, struct text *why)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < kernel->n_units && err == 0; i++)
		err = kernel_load_unit(kernel, kernel->units[i], why);
	return err;
}

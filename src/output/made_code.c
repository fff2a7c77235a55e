/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Code that a process made at run time, as those who make such code (the JIT compilers of Java, JavaScript, ...) tell perf of it:
 * lines of the text file /tmp/perf-PID.map,
 *
 *     START SIZE NAME         numbers in hexadecimal, the name goes on to the end of the line
 *
 * to which they append as they go. A later line takes the place of an older one over the same addresses. The file is read when an
 * address is asked for that is not known, and again when it has grown. Any user may have made it: what is no such line is left out.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/output_int.h"

#define FILE_MAX (256u << 20) /* bytes */

struct function {
	uint64_t start, size;
	const char *name;
	uint32_t order; /* in the file */
};

struct made_code {
	uint32_t pid;
	off_t len; /* of the file, when it was read */
	char *text; /* cut into strings */
	struct function *functions; /* by address, then by order */
	uint32_t n, cap;
};

struct made_code *
made_code_new(uint32_t pid)
{
	struct made_code *code = mem_alloc(sizeof(*code));

	if (code)
		code->pid = pid;
	return code;
}

static void
clear(struct made_code *code)
{
	free(code->text);
	free(code->functions);
	code->text = NULL;
	code->functions = NULL;
	code->n = code->cap = 0;
}

void
made_code_free(struct made_code *code)
{
	if (code)
		clear(code);
	free(code);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static int
compare_functions(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void
add_line(struct made_code *code, char *line)
{
	struct function function = { .order = code->n }, *functions;
	char *end, *name;

	function.start = strtoull(line, &end, 16);
	function.size = strtoull(end, &name, 16);
	if (end == line || name == end || *name != ' ' || !name[1])
		return;
	function.name = name + 1;
	functions = mem_grow(code->functions, code->n, &code->cap, sizeof(*functions));
	if (!functions)
		return;
	code->functions = functions;
	functions[code->n++] = function;
}

void
made_code_parse(struct made_code *code, char *text)
{
	char *rest = text, *line;

	clear(code);
	code->text = text;
	while ((line = strsep(&rest, "\n")))
		add_line(code, line);
	if (code->n)
		qsort(code->functions, code->n, sizeof(*code->functions), compare_functions);
}

static int
open_file(const char *root, uint32_t pid)
{
	struct text path = { 0 };
	int fd;

	text_printf(&path, "%s/tmp/perf-%" PRIu32 ".map", root, pid);
	fd = open(path.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	text_fini(&path);
	return fd;
}

/* In the process's own /tmp where it still lives (it may be another), else in ours. */
static int
open_map(uint32_t pid)
{
	char root[32];
	int fd;

	snprintf(root, sizeof(root), "/proc/%" PRIu32 "/root", pid);
	fd = open_file(root, pid);
	return fd < 0 ? open_file("", pid) : fd;
}

/* The whole file, with a NUL behind it, owned by the caller; NULL: it cannot be read, or has not changed. */
static char *
read_news(struct made_code *code, int fd)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == code->len || st.st_size > FILE_MAX)
		return NULL;
	text = mem_alloc((size_t)st.st_size + 1);
	n = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (n >= 0) {
		code->len = st.st_size;
		return text;
	}
	free(text);
	return NULL;
}

static bool
read_again(struct made_code *code)
{
	int fd = open_map(code->pid);
	char *text;

	if (fd < 0)
		return false;
	text = read_news(code, fd);
	close(fd);
	if (text)
		made_code_parse(code, text);
	return text != NULL;
}

/* ---- asking ------------------------------------------------------------------------------------ */

static bool
search(const struct made_code *code, uint64_t addr, struct image_symbol *symbol)
{
	uint32_t low = 0, high = code->n, mid;
	const struct function *found;

	while (low < high) { /* the first behind the address */
		mid = low + (high - low) / 2;
		if (code->functions[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	found = low ? &code->functions[low - 1] : NULL;
	if (!found || addr - found->start >= found->size)
		return false;
	*symbol = (struct image_symbol){ found->name, addr - found->start, found->size };
	return true;
}

bool
made_code_find(struct made_code *code, uint64_t addr, struct image_symbol *symbol)
{
	return search(code, addr, symbol) || (read_again(code) && search(code, addr, symbol));
}

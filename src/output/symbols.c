/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Kernel addresses as symbols, from /proc/kallsyms: read whole at the first question, sorted by address,
 * searched by halves.
 *
 * Kernel modules that are loaded later are not seen. Where addresses are hidden from us
 * (kernel.kptr_restrict, no CAP_SYSLOG) all of them read as 0: then addresses are shown as numbers and
 * symbols_error says why.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output/output.h"

#define SYMBOL_MAX (1u << 20) /* bytes; an address further behind the last symbol belongs to nothing known */

struct symbol {
	uint64_t addr;
	uint32_t name, module; /* offsets into the text; module 0: none */
};

#define KALLSYMS_MAX (1u << 30) /* bytes */

struct symbols {
	bool loaded;
	int error;  /* -errno of reading; -EPERM: addresses are hidden */
	char *text; /* the file, cut into strings */
	struct symbol *symbols;
	uint32_t n, cap;
};

struct symbols *
symbols_new(void)
{
	return mem_alloc(sizeof(struct symbols));
}

void
symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->text);
	free(symbols->symbols);
	free(symbols);
}

static int
add(struct symbols *symbols, const struct symbol *symbol)
{
	struct symbol *more = mem_grow(symbols->symbols, symbols->n, &symbols->cap, sizeof(*more));

	if (!more)
		return -ENOMEM;
	symbols->symbols = more;
	more[symbols->n++] = *symbol;
	return 0;
}

/* "ADDR TYPE NAME\t[MODULE]"; code only (t, T, w, W). Cuts the line up. True when it is a symbol to keep. */
static bool
parse_line(const struct symbols *symbols, char *line, struct symbol *symbol)
{
	char *end, *name, *module;

	symbol->addr = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || !strchr("tTwW", end[1]) || end[1] == 0 || end[2] != ' ')
		return false;
	name = end + 3;
	module = strpbrk(name, "\t ");
	symbol->name = (uint32_t)(name - symbols->text);
	symbol->module = 0;
	if (module) {
		*module++ = 0;
		module += strspn(module, "\t ");
		symbol->module = (uint32_t)(module - symbols->text);
	}
	return symbol->addr != 0;
}

static int
compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static int
load(struct symbols *symbols)
{
	char *line, *rest;
	struct symbol symbol;
	size_t len;
	int err;

	symbols->text = rest = file_read("/proc/kallsyms", KALLSYMS_MAX, &len);
	if (!rest)
		return -errno;
	while ((line = strsep(&rest, "\n"))) {
		if (!parse_line(symbols, line, &symbol))
			continue;
		err = add(symbols, &symbol);
		if (err < 0)
			return err;
	}
	if (symbols->n == 0)
		return -EPERM;
	qsort(symbols->symbols, symbols->n, sizeof(*symbols->symbols), compare);
	return 0;
}

static void
need(struct symbols *symbols)
{
	if (symbols->loaded)
		return;
	symbols->loaded = true;
	symbols->error = load(symbols);
}

int
symbols_error(struct symbols *symbols, struct text *why)
{
	need(symbols);
	if (symbols->error == -EPERM)
		text_puts(
			why,
			"/proc/kallsyms hides the addresses of kernel functions: run as root, with kernel.kptr_restrict below 2");
	else if (symbols->error < 0)
		text_printf(why, "/proc/kallsyms: %s", strerror(-symbols->error));
	return symbols->error;
}

/* The last symbol at or below an address, or n where there is none. Of several at one address the first. */
static uint32_t
search(const struct symbols *symbols, uint64_t addr)
{
	uint32_t low = 0, high = symbols->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (symbols->symbols[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return symbols->n;
	low--;
	while (low > 0 && symbols->symbols[low - 1].addr == symbols->symbols[low].addr)
		low--;
	return low;
}

void
symbols_text(struct symbols *symbols, uint64_t addr, struct text *out)
{
	const struct symbol *symbol;
	uint64_t next = 0;
	uint32_t i, after;

	need(symbols);
	i = symbols->error ? symbols->n : search(symbols, addr);
	if (i == symbols->n) {
		text_printf(out, "0x%" PRIx64, addr);
		return;
	}
	symbol = &symbols->symbols[i];
	for (after = i + 1; after < symbols->n && symbols->symbols[after].addr == symbol->addr; after++)
		;
	if (after < symbols->n && symbols->symbols[after].module == symbol->module)
		next = symbols->symbols[after].addr;
	if (!next && addr - symbol->addr > SYMBOL_MAX) {
		text_printf(out, "0x%" PRIx64, addr);
		return;
	}
	text_printf(out, "%s+0x%" PRIx64, symbols->text + symbol->name, addr - symbol->addr);
	if (next)
		text_printf(out, "/0x%" PRIx64, next - symbol->addr);
	if (symbol->module)
		text_printf(out, " %s", symbols->text + symbol->module);
}

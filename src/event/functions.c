/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The places that probes can be put at: functions of an ELF file, from .symtab and .dynsym (libelf), its own or of its file with debugging
 * information, its markers, from
 * .note.stapsdt, and the functions of the kernel, from /proc/kallsyms.
 *
 * A function of a file is known by where its first instruction lies in the file, which is what the kernel wants and
 * is the same for programs that are loaded anywhere (PIE, libraries) and for those that are not. Of two names for
 * one place both are there. Files are not trusted: what libelf cannot make sense of is passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/event_int.h"

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#else
#error "functions.c: which e_machine have programs of this architecture?"
#endif

bool
name_is_glob(const char *s)
{
	return strpbrk(s, "*?[\\") != NULL;
}

static bool
matches(const char *pattern, const char *name)
{
	if (!pattern)
		return true;
	return name_is_glob(pattern) ? glob_match(pattern, name) : strcmp(pattern, name) == 0;
}

static void
add_function(struct arena *arena, struct functions *list, const struct code_function *function)
{
	list->functions =
		arena_grow(arena, list->functions, list->n, &list->cap, sizeof(*list->functions));
	list->functions[list->n++] = *function;
}

static int
compare_functions(const void *a, const void *b)
{
	const struct code_function *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order)
		return order;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* By name, each once: many stand in both tables of symbols. */
static void
sort_functions(struct functions *list)
{
	uint32_t i, n = 0;

	if (list->n)
		qsort(list->functions, list->n, sizeof(*list->functions), compare_functions);
	for (i = 0; i < list->n; i++)
		if (n == 0 || compare_functions(&list->functions[n - 1], &list->functions[i]) != 0)
			list->functions[n++] = list->functions[i];
	list->n = n;
}

/* ---- ELF files ------------------------------------------------------------------------------- */

/* An open file; `fd` -1, `elf` NULL: not open. */
struct image_file {
	const char *path;
	int fd;
	Elf *elf;
	GElf_Ehdr header;
};

static int
check_header(struct image_file *file, struct text *why)
{
	if (elf_kind(file->elf) != ELF_K_ELF || !gelf_getehdr(file->elf, &file->header))
		text_printf(why, "'%s' is not an ELF file, so no program and no library", file->path);
	else if (file->header.e_type != ET_EXEC && file->header.e_type != ET_DYN)
		text_printf(why, "'%s' is neither a program nor a shared library, but another kind of ELF file", file->path);
	else if (file->header.e_machine != OUR_MACHINE || gelf_getclass(file->elf) != ELFCLASS64)
		text_printf(why, "'%s' is a program for another architecture, or of 32 bits", file->path);
	else
		return 0;
	return -ENOEXEC;
}

static void
close_image(struct image_file *file)
{
	if (file->elf)
		elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
}

static int
open_image(struct image_file *file, const char *path, struct text *why)
{
	struct stat st;
	int err;

	*file = (struct image_file){ .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (file->fd < 0 || fstat(file->fd, &st) < 0) {
		err = -errno;
		text_printf(why, "'%s' cannot be read: %s", path, strerror(-err));
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		text_printf(why, "'%s' is not a file", path);
		return -EINVAL;
	}
	elf_version(EV_CURRENT);
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	return check_header(file, why);
}

/* The place in the file of an address in a segment that has `flags` (PF_X: is executed); UINT64_MAX: there is none. */
static uint64_t
file_offset(const struct image_file *file, uint64_t address, uint32_t flags)
{
	GElf_Phdr segment;
	size_t i, n = 0;

	elf_getphdrnum(file->elf, &n);
	for (i = 0; i < n; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & flags))
			continue;
		if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
			return address - segment.p_vaddr + segment.p_offset;
	}
	return UINT64_MAX;
}

static bool
is_code_offset(const struct image_file *file, uint64_t offset)
{
	GElf_Phdr segment;
	size_t i, n = 0;

	elf_getphdrnum(file->elf, &n);
	for (i = 0; i < n; i++)
		if (gelf_getphdr(file->elf, (int)i, &segment) && segment.p_type == PT_LOAD &&
		    (segment.p_flags & PF_X) && offset >= segment.p_offset &&
		    offset - segment.p_offset < segment.p_filesz)
			return true;
	return false;
}

/* One symbol, if it is a function of this file that fits. "name@VERSION" is `name`. */
static void
add_symbol(struct arena *arena, const struct image_file *file, const GElf_Sym *symbol, const char *name,
	   const char *pattern, struct functions *list)
{
	struct code_function function = { .is_indirect = GELF_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC };
	size_t len = name ? strcspn(name, "@") : 0;
	char plain[FUNCTION_NAME_MAX];

	if (symbol->st_shndx == SHN_UNDEF ||
	    (GELF_ST_TYPE(symbol->st_info) != STT_FUNC && !function.is_indirect))
		return;
	list->n_known++;
	if (len == 0 || len >= sizeof(plain))
		return;
	memcpy(plain, name, len);
	plain[len] = 0;
	if (!matches(pattern, plain))
		return;
	function.offset = file_offset(file, symbol->st_value, PF_X);
	if (function.offset == UINT64_MAX)
		return;
	function.name = arena_strdup(arena, plain);
	add_function(arena, list, &function);
}

/* Of a table of symbols in `elf`, which is `file` or has its debugging information. */
static void
read_symbols(struct arena *arena, const struct image_file *file, Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
	     const char *pattern, struct functions *list)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t i, n = data ? data->d_size / sizeof(Elf64_Sym) : 0;
	GElf_Sym symbol;

	for (i = 0; i < n && i < INT32_MAX; i++)
		if (gelf_getsym(data, (int)i, &symbol))
			add_symbol(arena, file, &symbol, elf_strptr(elf, header->sh_link, symbol.st_name), pattern, list);
}

/* True when it has a full table, not only the symbols that libraries show. */
static bool
read_tables(struct arena *arena, const struct image_file *file, Elf *elf, const char *pattern, struct functions *list)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	bool full = false;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		full |= header.sh_type == SHT_SYMTAB;
		read_symbols(arena, file, elf, section, &header, pattern, list);
	}
	return full;
}

/* Of a stripped file, by its build id or debug link, where its debugging information is installed. */
static void
read_debug_file(struct arena *arena, const struct image_file *file, const char *pattern, struct functions *list)
{
	struct image *image = image_read(file->fd, file->path);
	const char *path = image ? image_debug_path(image) : NULL;
	struct image_file debug = { .fd = -1 };
	struct text why = { 0 };

	if (path && open_image(&debug, path, &why) == 0)
		read_tables(arena, file, debug.elf, pattern, list);
	close_image(&debug);
	text_fini(&why);
	image_free(image);
}

int
functions_of_file(struct arena *arena, const char *path, const char *pattern, struct functions *list,
		  struct text *why)
{
	struct image_file file;
	int err = open_image(&file, path, why);

	*list = (struct functions){ 0 };
	if (err == 0 && !read_tables(arena, &file, file.elf, pattern, list))
		read_debug_file(arena, &file, pattern, list);
	close_image(&file);
	sort_functions(list);
	return err;
}

/* ---- markers --------------------------------------------------------------------------------- */

#define MARKER_OWNER "stapsdt"
#define MARKER_TYPE  3

/* The address that prelink or objcopy would have moved: markers are relative to this section, wherever it is now. */
static uint64_t
marker_base(const struct image_file *file)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	const char *name;
	size_t names;

	while (elf_getshdrstrndx(file->elf, &names) == 0 && (section = elf_nextscn(file->elf, section))) {
		name = gelf_getshdr(section, &header) ? elf_strptr(file->elf, names, header.sh_name) : NULL;
		if (name && strcmp(name, ".stapsdt.base") == 0)
			return header.sh_addr;
	}
	return 0;
}

/* A text that ends inside `len` bytes, passed over; NULL: it does not. */
static const char *
next_text(const char **at, size_t *len)
{
	const char *text = *at, *end = memchr(text, 0, *len);

	if (!end)
		return NULL;
	*len -= (size_t)(end + 1 - text);
	*at = end + 1;
	return text;
}

/* A note's description: 8 bytes each of address, base, semaphore's address; three texts. */
static void
add_marker(struct arena *arena, const struct image_file *file, uint64_t base, const char *note, size_t len, struct markers *list)
{
	struct marker marker = { 0 };
	const char *at = note + 24;
	uint64_t numbers[3], moved;

	if (len < 24)
		return;
	len -= 24;
	memcpy(numbers, note, sizeof(numbers));
	moved = base ? base - numbers[1] : 0;
	marker.provider = next_text(&at, &len);
	marker.name = marker.provider ? next_text(&at, &len) : NULL;
	marker.args = marker.name ? next_text(&at, &len) : NULL;
	marker.offset = file_offset(file, numbers[0] + moved, PF_X);
	if (!marker.args || marker.offset == UINT64_MAX)
		return;
	if (numbers[2])
		marker.semaphore = file_offset(file, numbers[2] + moved, PF_W);
	if (marker.semaphore == UINT64_MAX)
		marker.semaphore = 0;
	marker.provider = arena_strdup(arena, marker.provider);
	marker.name = arena_strdup(arena, marker.name);
	marker.args = arena_strdup(arena, marker.args);
	list->markers = arena_grow(arena, list->markers, list->n, &list->cap, sizeof(*list->markers));
	list->markers[list->n++] = marker;
}

static void
read_notes(struct arena *arena, const struct image_file *file, uint64_t base, Elf_Scn *section, struct markers *list)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t off = 0, name_off, note_off;
	const char *bytes;
	GElf_Nhdr note;

	while (data && off < data->d_size && (off = gelf_getnote(data, off, &note, &name_off, &note_off)) > 0) {
		bytes = data->d_buf;
		if (note.n_type == MARKER_TYPE && note.n_namesz == sizeof(MARKER_OWNER) &&
		    memcmp(bytes + name_off, MARKER_OWNER, sizeof(MARKER_OWNER)) == 0)
			add_marker(arena, file, base, bytes + note_off, note.n_descsz, list);
	}
}

static int
compare_markers(const void *a, const void *b)
{
	const struct marker *x = a, *y = b;
	int order = strcmp(x->provider, y->provider);

	if (!order)
		order = strcmp(x->name, y->name);
	return order ? order : x->offset < y->offset ? -1 : x->offset > y->offset;
}

int
markers_of_file(struct arena *arena, const char *path, struct markers *list, struct text *why)
{
	struct image_file file;
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	uint64_t base = 0;
	int err = open_image(&file, path, why);

	*list = (struct markers){ 0 };
	if (err == 0)
		base = marker_base(&file);
	while (err == 0 && (section = elf_nextscn(file.elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE)
			read_notes(arena, &file, base, section, list);
	close_image(&file);
	if (list->n)
		qsort(list->markers, list->n, sizeof(*list->markers), compare_markers);
	return err;
}

int
check_code_offset(const char *path, uint64_t offset, struct text *why)
{
	struct image_file file;
	int err = open_image(&file, path, why);

	if (err == 0 && !is_code_offset(&file, offset)) {
		text_printf(why, "'%s' has no code at file offset 0x%llx", path, (unsigned long long)offset);
		err = -ERANGE;
	}
	close_image(&file);
	return err;
}

/* ---- the kernel ------------------------------------------------------------------------------ */

/*
 * "ADDR TYPE NAME\t[MODULE]". Not functions that can be probed: programs of eBPF, the paddings and the cold parts that
 * the compiler makes of functions.
 */
static char *
kallsyms_function(char *line)
{
	static const char *const not_prefixes[] = { "__pfx_", "__cfi_", "__SCT__", "__SCK__" };
	char *type = strchr(line, ' '), *name;
	size_t i;

	if (!type || !type[1] || !strchr("tTwW", type[1]) || type[2] != ' ')
		return NULL;
	name = type + 3;
	if (strstr(name, "\t[bpf]") || strstr(name, "\t[__builtin__"))
		return NULL;
	name[strcspn(name, "\t\n")] = 0;
	for (i = 0; i < ARRAY_SIZE(not_prefixes); i++)
		if (strncmp(name, not_prefixes[i], strlen(not_prefixes[i])) == 0)
			return NULL;
	return strstr(name, ".cold") ? NULL : name;
}

int
functions_of_kernel(struct arena *arena, const char *pattern, struct functions *list, struct text *why)
{
	FILE *in = fopen("/proc/kallsyms", "re");
	struct code_function function = { 0 };
	char *line = NULL, *name;
	size_t cap = 0;
	int err = in ? 0 : -errno;

	*list = (struct functions){ 0 };
	if (err < 0) {
		text_printf(why, "/proc/kallsyms, which lists the kernel's functions, cannot be read: %s", strerror(-err));
		return err;
	}
	while (getline(&line, &cap, in) > 0) {
		name = kallsyms_function(line);
		if (!name)
			continue;
		list->n_known++;
		if (!matches(pattern, name))
			continue;
		function.name = arena_strdup(arena, name);
		add_function(arena, list, &function);
	}
	free(line);
	fclose(in);
	sort_functions(list);
	return 0;
}

/* ---- suggestions ----------------------------------------------------------------------------- */

const char *
functions_nearest(const struct functions *list, const char *name)
{
	unsigned best = (unsigned)strlen(name) / 4 + 2, distance;
	const char *nearest = NULL;
	uint32_t i;

	for (i = 0; i < list->n && best > 1; i++) {
		distance = text_distance(name, list->functions[i].name, best - 1);
		if (distance >= best)
			continue;
		best = distance;
		nearest = list->functions[i].name;
	}
	return nearest;
}

const char *
kernel_function_like(struct arena *arena, const char *name)
{
	struct functions all;
	struct text why = { 0 };
	const char *nearest = functions_of_kernel(arena, NULL, &all, &why) < 0 ? NULL : functions_nearest(&all, name);

	text_fini(&why);
	return nearest;
}

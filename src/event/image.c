/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The functions of an ELF file, found by where an instruction lies in the file: what turns an address of a user stack, once it
 * is known which file was mapped there, into a name.
 *
 * Symbols are sorted by address, one kept for each; of several at one address the most public one. A function ends where its size
 * says, one without a size where the next begins. Addresses of symbols are the file's own (st_value), and a file with separate
 * debugging information has the same, so that only the segments of the first are asked how places become addresses.
 *
 * Files are not trusted: what libelf cannot make sense of is passed over, what is too large is left out.
 */
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "event/event.h"

#define SEGMENTS_MAX  64
#define BUILD_ID_MAX  20
#define SYMBOLS_MAX   (1u << 23)
#define DEBUG_ROOT    "/usr/lib/debug"

struct segment {
	uint64_t address, offset, len;
};

struct symbol {
	uint64_t start, size;
	const char *name;
	int rank; /* of several at one place the highest stays */
};

struct image {
	struct arena *arena;
	struct segment segments[SEGMENTS_MAX]; /* those with code */
	uint32_t n_segments;
	struct symbol *symbols;
	uint32_t n, cap;
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_len;
	const char *debug_path; /* of the separate file that the symbols are from; NULL: there is none, or none was needed */
};

/* ---- symbols ----------------------------------------------------------------------------------- */

/* Public names before weak ones, weak ones before local ones; of equals those with fewer underscores in front. */
static int
rank_of(const GElf_Sym *symbol, const char *name)
{
	int binding = GELF_ST_BIND(symbol->st_info);
	int rank = binding == STB_GLOBAL ? 3 : binding == STB_WEAK ? 2 : 1;

	return rank * 16 - (int)(strspn(name, "_") & 15);
}

static void
add_symbol(struct image *image, const GElf_Sym *symbol, const char *name)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC) || !name || !name[0] ||
	    image->n == SYMBOLS_MAX)
		return;
	image->symbols = arena_grow(image->arena, image->symbols, image->n, &image->cap, sizeof(*image->symbols));
	image->symbols[image->n++] = (struct symbol){ .start = symbol->st_value,
						      .size = symbol->st_size,
						      .name = arena_strndup(image->arena, name, strcspn(name, "@")),
						      .rank = rank_of(symbol, name) };
}

static void
read_section(struct image *image, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t i, n = data ? data->d_size / sizeof(Elf64_Sym) : 0;
	GElf_Sym symbol;

	for (i = 0; i < n && i < SYMBOLS_MAX; i++)
		if (gelf_getsym(data, (int)i, &symbol))
			add_symbol(image, &symbol, elf_strptr(elf, header->sh_link, symbol.st_name));
}

/* True if the file has a .symtab. */
static bool
read_symbols(struct image *image, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	bool has_all = false;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		has_all |= header.sh_type == SHT_SYMTAB;
		read_section(image, elf, section, &header);
	}
	return has_all;
}

static int
compare_symbols(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->rank != y->rank ? y->rank - x->rank : strcmp(x->name, y->name);
}

/* By address, the best of each. */
static void
sort_symbols(struct image *image)
{
	uint32_t n = 0;

	if (image->n)
		qsort(image->symbols, image->n, sizeof(*image->symbols), compare_symbols);
	for (uint32_t i = 0; i < image->n; i++)
		if (n == 0 || image->symbols[n - 1].start != image->symbols[i].start)
			image->symbols[n++] = image->symbols[i];
	image->n = n;
}

/* ---- the file ---------------------------------------------------------------------------------- */

static bool
is_image(Elf *elf)
{
	GElf_Ehdr header;

	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64 && gelf_getehdr(elf, &header);
}

static void
read_segments(struct image *image, Elf *elf)
{
	GElf_Phdr header;
	size_t i, n = 0;

	elf_getphdrnum(elf, &n);
	for (i = 0; i < n && image->n_segments < SEGMENTS_MAX; i++)
		if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD && (header.p_flags & PF_X))
			image->segments[image->n_segments++] =
				(struct segment){ header.p_vaddr, header.p_offset, header.p_filesz };
}

/* The note "GNU" of type 3 in a section or segment of notes. */
static void
read_note(struct image *image, Elf_Data *data)
{
	size_t at = 0, name, desc;
	GElf_Nhdr note;

	while (data && (at = gelf_getnote(data, at, &note, &name, &desc)) > 0) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || note.n_descsz > BUILD_ID_MAX ||
		    memcmp((const char *)data->d_buf + name, "GNU", 4) != 0)
			continue;
		image->build_id_len = note.n_descsz;
		memcpy(image->build_id, (const char *)data->d_buf + desc, note.n_descsz);
		return;
	}
}

/* Sections of notes; a program without sections still has the segment. */
static void
read_build_id(struct image *image, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr section_header;
	GElf_Phdr segment;
	size_t i, n = 0;

	while (!image->build_id_len && (section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &section_header) && section_header.sh_type == SHT_NOTE)
			read_note(image, elf_getdata(section, NULL));
	elf_getphdrnum(elf, &n);
	for (i = 0; i < n && !image->build_id_len; i++)
		if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_NOTE)
			read_note(image, elf_getdata_rawchunk(elf, (int64_t)segment.p_offset, segment.p_filesz, ELF_T_NHDR));
}

/* ---- files with debugging information ------------------------------------------------------------ */

/* crc32 of a whole file, as .gnu_debuglink has it. */
static uint32_t
checksum(int fd)
{
	unsigned char block[16384];
	uLong sum = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, block, sizeof(block), at)) > 0) {
		sum = crc32(sum, block, (uInt)n);
		at += n;
	}
	return (uint32_t)sum;
}

/* The symbols of this file, if it is the one that is meant: by build id, or where that is missing by checksum. */
static bool
try_debug_file(struct image *image, const char *path, const uint32_t *sum)
{
	struct image other = { .arena = image->arena };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	bool found = false;

	if (is_image(elf)) {
		read_build_id(&other, elf);
		found = image->build_id_len && other.build_id_len ?
				image->build_id_len == other.build_id_len &&
					!memcmp(image->build_id, other.build_id, other.build_id_len) :
				sum && *sum == checksum(fd);
		found = found && read_symbols(image, elf);
	}
	if (found)
		image->debug_path = arena_strdup(image->arena, path);
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return found;
}

/* DEBUG_ROOT/.build-id/01/23456789....debug */
static bool
try_build_id(struct image *image)
{
	struct text path = { 0 };
	bool found;

	if (image->build_id_len < 2)
		return false;
	text_printf(&path, DEBUG_ROOT "/.build-id/%02x/", image->build_id[0]);
	for (uint32_t i = 1; i < image->build_id_len; i++)
		text_printf(&path, "%02x", image->build_id[i]);
	text_puts(&path, ".debug");
	found = try_debug_file(image, path.s, NULL);
	text_fini(&path);
	return found;
}

/* The section: a file's name, zeros up to a multiple of 4, its checksum. NULL: there is none that can be understood. */
static const char *
debug_link(Elf *elf, uint32_t *sum)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t strings, len;
	Elf_Data *data;
	const char *name;

	if (elf_getshdrstrndx(elf, &strings) < 0)
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		name = gelf_getshdr(section, &header) ? elf_strptr(elf, strings, header.sh_name) : NULL;
		if (!name || strcmp(name, ".gnu_debuglink") != 0)
			continue;
		data = elf_rawdata(section, NULL);
		len = data && data->d_buf ? strnlen(data->d_buf, data->d_size) : 0;
		if (!len || round_up(len + 1, 4) + sizeof(*sum) > data->d_size)
			return NULL;
		memcpy(sum, (const char *)data->d_buf + round_up(len + 1, 4), sizeof(*sum));
		return data->d_buf;
	}
	return NULL;
}

/* Beside the file, in .debug beside it, and below DEBUG_ROOT, as gdb looks for them. */
static bool
try_debug_link(struct image *image, Elf *elf, const char *path)
{
	static const struct { const char *root, *folder; } places[] = { { "", "/" }, { "", "/.debug/" }, { DEBUG_ROOT, "/" } };
	const char *slash = strrchr(path, '/'), *name;
	uint32_t sum;
	bool found = false;

	name = slash ? debug_link(elf, &sum) : NULL;
	for (size_t i = 0; name && i < ARRAY_SIZE(places) && !found; i++)
		found = try_debug_file(image, arena_printf(image->arena, "%s%.*s%s%s", places[i].root, (int)(slash - path), path,
							   places[i].folder, name), &sum);
	return found;
}

const char *
image_debug_path(const struct image *image)
{
	return image->debug_path;
}

/* ---- the whole --------------------------------------------------------------------------------- */

/* `path` NULL: other files are not looked for. */
static struct image *
read_image(Elf *elf, const char *path)
{
	struct arena *arena;
	struct image *image;

	if (!is_image(elf))
		return NULL;
	arena = arena_new();
	image = arena_alloc(arena, sizeof(*image));
	image->arena = arena;
	read_segments(image, elf);
	read_build_id(image, elf);
	if (!read_symbols(image, elf) && path && !try_build_id(image))
		try_debug_link(image, elf, path);
	sort_symbols(image);
	return image;
}

struct image *
image_read(int fd, const char *path)
{
	struct image *image;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	image = read_image(elf, path);
	elf_end(elf);
	return image;
}

struct image *
image_read_memory(const void *bytes, size_t len)
{
	struct image *image;
	char *copy = mem_alloc(len + 1); /* libelf wants to write */
	Elf *elf;

	if (!copy)
		return NULL;
	memcpy(copy, bytes, len);
	elf_version(EV_CURRENT);
	elf = elf_memory(copy, len);
	image = read_image(elf, NULL);
	elf_end(elf);
	free(copy);
	return image;
}

void
image_free(struct image *image)
{
	if (image)
		arena_free(image->arena);
}

static const struct segment *
segment_of(const struct image *image, uint64_t offset)
{
	for (uint32_t i = 0; i < image->n_segments; i++)
		if (offset >= image->segments[i].offset && offset - image->segments[i].offset < image->segments[i].len)
			return &image->segments[i];
	return NULL;
}

uint64_t
image_address(const struct image *image, uint64_t offset)
{
	const struct segment *segment = segment_of(image, offset);

	return segment ? offset - segment->offset + segment->address : offset;
}

bool
image_find(const struct image *image, uint64_t offset, struct image_symbol *symbol)
{
	uint64_t address = image_address(image, offset);
	uint32_t low = 0, high = image->n, mid;
	const struct symbol *found;

	if (!segment_of(image, offset))
		return false;
	while (low < high) { /* the first behind the address */
		mid = low + (high - low) / 2;
		if (image->symbols[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return false;
	found = &image->symbols[low - 1];
	if (found->size && address - found->start >= found->size)
		return false;
	*symbol = (struct image_symbol){ found->name, address - found->start, found->size };
	return true;
}

const uint8_t *
image_build_id(const struct image *image, uint32_t *len)
{
	*len = image->build_id_len;
	return image->build_id;
}

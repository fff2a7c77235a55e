/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Addresses of user stacks as symbols. A source's spaces (source/spaces.c) say which file's code was at an address in a process;
 * event/image.c reads the functions of that file, once for each build id; made_code.c knows code that a process made at run time.
 *
 *     middle+0x14/0x2c (stacks)     function, offset in it, its size, file
 *     0x1136 (stacks)               the file is known, the function is not; the address is as nm and addr2line want it
 *     Interpreter::run+0x8/0x40     code made at run time
 *     0x7f3a0c001136                nothing is known
 *
 * The address of a frame that made a call is where it goes on after the call, which may be the next function already, where the
 * called one never returns. So the name is that of the byte before.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "output/output_int.h"

#define BUCKETS     1024 /* a power of two */
#define VDSO_MAX    65536

/* A file and its functions; the image may belong to an older entry, of the same build id. */
struct entry {
	struct entry *next; /* of the same bucket */
	const struct mapped_file *file;
	struct image *image; /* NULL: it cannot be read, or is another file than the one that was mapped */
	bool owns_image;
};

/* What a process made at run time. */
struct made {
	struct made *next; /* of the same bucket */
	uint32_t pid;
	struct made_code *code; /* NULL: no memory */
};

struct user_symbols {
	struct entry *files[BUCKETS];
	struct made *made[BUCKETS];
	enum names names;
};

struct user_symbols *
user_symbols_new(enum names names)
{
	struct user_symbols *symbols = mem_alloc(sizeof(*symbols));

	if (symbols)
		symbols->names = names;
	return symbols;
}

static void
free_bucket(struct user_symbols *symbols, size_t i)
{
	struct entry *entry;
	struct made *made;

	while ((entry = symbols->files[i])) {
		symbols->files[i] = entry->next;
		if (entry->owns_image)
			image_free(entry->image);
		free(entry);
	}
	while ((made = symbols->made[i])) {
		symbols->made[i] = made->next;
		made_code_free(made->code);
		free(made);
	}
}

void
user_symbols_free(struct user_symbols *symbols)
{
	for (size_t i = 0; symbols && i < BUCKETS; i++)
		free_bucket(symbols, i);
	free(symbols);
}

/* ---- files ------------------------------------------------------------------------------------- */

/* The kernel's code in every process: the one in ours is the same. */
static struct image *
read_vdso(void)
{
	const void *start = (const void *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = start;
	size_t len;

	if (!start)
		return NULL;
	/* Its table of sections is the last thing in it. */
	len = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	return len <= VDSO_MAX ? image_read_memory(start, len) : NULL;
}

static struct image *
read_file(const struct mapped_file *file)
{
	int fd = file->fd >= 0 ? file->fd : mapped_file_open(file);
	struct image *image = fd < 0 ? NULL : image_read(fd, file->path);

	if (fd >= 0 && fd != file->fd)
		close(fd);
	return image;
}

static bool
same_build(const struct image *a, const uint8_t *id, uint32_t len)
{
	uint32_t a_len;
	const uint8_t *a_id = image_build_id(a, &a_len);

	return len && a_len == len && memcmp(a_id, id, len) == 0;
}

/* An image of the same build that was read under another name. */
static struct image *
known_image(const struct user_symbols *symbols, const struct image *image)
{
	uint32_t len;
	const uint8_t *id = image_build_id(image, &len);

	for (size_t i = 0; len && i < BUCKETS; i++)
		for (const struct entry *entry = symbols->files[i]; entry; entry = entry->next)
			if (entry->image && same_build(entry->image, id, len))
				return entry->image;
	return NULL;
}

/* Reads the file, and makes sure that it is the one that was mapped. */
static void
read_entry(struct user_symbols *symbols, struct entry *entry)
{
	const struct file_identity *identity = &entry->file->identity;
	struct image *known;

	entry->image = strcmp(entry->file->path, "[vdso]") == 0 ? read_vdso() : read_file(entry->file);
	if (!entry->image)
		return;
	entry->owns_image = true;
	known = known_image(symbols, entry->image);
	if (!known && (!identity->build_id_len || same_build(entry->image, identity->build_id, identity->build_id_len)))
		return;
	image_free(entry->image);
	entry->owns_image = false;
	entry->image = known;
}

static const struct image *
image_of(struct user_symbols *symbols, const struct mapped_file *file)
{
	struct entry **bucket = &symbols->files[(uintptr_t)file / sizeof(void *) % BUCKETS], *entry;

	for (entry = *bucket; entry; entry = entry->next)
		if (entry->file == file)
			return entry->image;
	entry = mem_alloc(sizeof(*entry));
	if (!entry)
		return NULL;
	entry->file = file;
	read_entry(symbols, entry);
	entry->next = *bucket;
	*bucket = entry;
	return entry->image;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
file_text(struct user_symbols *symbols, const struct place *place, unsigned back, struct text *out)
{
	const struct image *image = image_of(symbols, place->file);
	struct image_symbol symbol;

	if (!image || !image_find(image, place->offset - back, &symbol)) {
		text_printf(out, "0x%" PRIx64, image ? image_address(image, place->offset) : place->offset);
	} else {
		if (symbols->names == NAMES_MANGLED || !demangle(symbol.name, out))
			text_puts(out, symbol.name);
		text_printf(out, "+0x%" PRIx64, symbol.offset + back);
		if (symbol.size)
			text_printf(out, "/0x%" PRIx64, symbol.size);
	}
	text_printf(out, " (%s)", base_name(place->file->path));
}

/* ---- code made at run time ---------------------------------------------------------------------- */

static struct made_code *
made_code_of(struct user_symbols *symbols, uint32_t pid)
{
	struct made **bucket = &symbols->made[pid % BUCKETS], *made;

	for (made = *bucket; made; made = made->next)
		if (made->pid == pid)
			return made->code;
	made = mem_alloc(sizeof(*made));
	if (!made)
		return NULL;
	made->pid = pid;
	made->code = made_code_new(pid);
	made->next = *bucket;
	*bucket = made;
	return made->code;
}

/* False: no name is known. */
static bool
made_code_text(struct user_symbols *symbols, uint32_t pid, uint64_t addr, unsigned back, struct text *out)
{
	struct made_code *code = made_code_of(symbols, pid);
	struct image_symbol symbol;

	if (!code || !made_code_find(code, addr - back, &symbol))
		return false;
	text_printf(out, "%s+0x%" PRIx64 "/0x%" PRIx64, symbol.name, symbol.offset + back, symbol.size);
	return true;
}

/* ---- both -------------------------------------------------------------------------------------- */

bool
user_symbols_text(struct user_symbols *symbols, struct spaces *spaces, uint32_t pid, uint64_t addr, enum frame_kind kind,
		  struct text *out)
{
	unsigned back = kind == FRAME_CALLER;
	struct place place;
	bool known = spaces && spaces_find(spaces, pid, addr - back, &place);

	if (known)
		place.offset += back;
	if (known && (place.file->path[0] == '/' ? place.file->path[1] != '/' : !strcmp(place.file->path, "[vdso]")))
		file_text(symbols, &place, back, out);
	else if (!made_code_text(symbols, pid, addr, back, out))
		text_printf(out, "0x%" PRIx64, addr);
	else
		known = true;
	return known || !spaces || !spaces_know(spaces, pid);
}

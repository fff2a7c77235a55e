/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Objects that are made to cost: small files in which much lies over each other, refers to one thing many times, or goes round in
 * circles. Each is read by a process of its own, whose peak of memory and time on the CPU are measured, to what docs/objects.md says under
 * "What is refused, and limits". Without limits, most take gigabytes, minutes or more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <gelf.h>

#include "ebpf/ebpf.h"

#define MiB (1u << 20)
#define SECONDS_MAX 60
/* Beside what a process takes that reads nothing, in kB. Sanitizers keep what was freed, and know of each byte whether it may be touched. */
#if defined(__SANITIZE_ADDRESS__)
#define FILES_MAX 40
#define ROOM_KB (1024u << 10)
#else
#define FILES_MAX 12
#define ROOM_KB (256u << 10)
#endif

/* ---- an ELF file ------------------------------------------------------------------------------------------------------ */

#define STRTAB 1
#define SYMTAB 2

struct bytes {
	uint8_t *at;
	size_t len, cap;
};

struct image {
	struct bytes file, names, symbols, headers;
};

static size_t
put(struct bytes *b, const void *data, size_t len)
{
	size_t off = b->len;

	if (b->len + len > b->cap) {
		b->cap = 2 * (b->cap + len);
		b->at = realloc(b->at, b->cap);
		assert_non_null(b->at);
	}
	if (data)
		memcpy(b->at + off, data, len);
	else
		memset(b->at + off, 0, len);
	b->len += len;
	return off;
}

static uint32_t
put_name(struct bytes *b, const char *name)
{
	return (uint32_t)put(b, name, strlen(name) + 1);
}

static uint16_t
add_section(struct image *image, const char *name, uint32_t type, uint64_t flags, uint64_t off, uint64_t size)
{
	Elf64_Shdr shdr = { .sh_name = put_name(&image->names, name), .sh_type = type, .sh_flags = flags, .sh_offset = off, .sh_size = size };

	return (uint16_t)(put(&image->headers, &shdr, sizeof(shdr)) / sizeof(shdr));
}

/* A section with bytes of its own. */
static uint16_t
add_data(struct image *image, const char *name, uint64_t flags, const void *data, size_t len)
{
	put(&image->file, NULL, -image->file.len % 8);
	return add_section(image, name, SHT_PROGBITS, flags, put(&image->file, data, len), len);
}

static void
add_symbol(struct image *image, const char *name, unsigned type, uint16_t section, uint64_t value, uint64_t size)
{
	Elf64_Sym sym = { .st_name = put_name(&image->names, name), .st_info = ELF64_ST_INFO(STB_GLOBAL, type), .st_shndx = section, .st_value = value,
			  .st_size = size };

	put(&image->symbols, &sym, sizeof(sym));
}

static void
image_begin(struct image *image)
{
	*image = (struct image){ 0 };
	put(&image->file, NULL, sizeof(Elf64_Ehdr));
	put(&image->headers, NULL, sizeof(Elf64_Shdr));
	put_name(&image->names, "");
	put(&image->symbols, NULL, sizeof(Elf64_Sym));
	add_section(image, ".strtab", SHT_STRTAB, 0, 0, 0);
	add_section(image, ".symtab", SHT_SYMTAB, 0, 0, 0);
}

static void
image_end(struct image *image)
{
	Elf64_Shdr *shdrs = (Elf64_Shdr *)image->headers.at;
	size_t n = image->headers.len / sizeof(*shdrs);
	Elf64_Ehdr ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_REL, .e_machine = EM_BPF,
			    .e_version = EV_CURRENT, .e_ehsize = sizeof(ehdr), .e_shentsize = sizeof(*shdrs), .e_shstrndx = STRTAB,
			    .e_shnum = n < SHN_LORESERVE ? (uint16_t)n : 0 };

	shdrs[0].sh_size = n < SHN_LORESERVE ? 0 : n;
	shdrs[STRTAB].sh_size = image->names.len;
	shdrs[STRTAB].sh_offset = put(&image->file, image->names.at, image->names.len);
	put(&image->file, NULL, -image->file.len % 8);
	shdrs[SYMTAB].sh_size = image->symbols.len;
	shdrs[SYMTAB].sh_link = STRTAB;
	shdrs[SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	shdrs[SYMTAB].sh_offset = put(&image->file, image->symbols.at, image->symbols.len);
	ehdr.e_shoff = put(&image->file, image->headers.at, image->headers.len);
	memcpy(image->file.at, &ehdr, sizeof(ehdr));
	free(image->names.at);
	free(image->symbols.at);
	free(image->headers.at);
}

/* A program of n instructions that do nothing. */
static uint16_t
add_program(struct image *image, uint32_t n)
{
	static const struct bpf_insn nothing = { .code = BPF_ALU64 | BPF_MOV | BPF_K };
	struct bytes code = { 0 };
	uint16_t section;

	for (uint32_t i = 0; i < n; i++)
		put(&code, &nothing, sizeof(nothing));
	((struct bpf_insn *)code.at)[n - 1].code = BPF_JMP | BPF_EXIT;
	section = add_data(image, "raw_tp/x", SHF_ALLOC | SHF_EXECINSTR, code.at, code.len);
	add_symbol(image, "program", STT_FUNC, section, 0, code.len);
	free(code.at);
	return section;
}

/* ---- BTF ----------------------------------------------------------------------------------------------------------------- */

struct types {
	struct bytes types, names;
};

/* `type` is the size, too; the words are what follows it. */
static void
add_type(struct types *t, const char *name, uint32_t kind, uint32_t vlen, uint32_t type, const uint32_t *words, uint32_t n_words)
{
	uint32_t head[3] = { 0, kind << 24 | vlen, type };

	if (!t->names.len)
		put_name(&t->names, "");
	head[0] = *name ? put_name(&t->names, name) : 0;
	put(&t->types, head, sizeof(head));
	put(&t->types, words, n_words * sizeof(*words));
}

static struct bytes
btf_of(struct types *t)
{
	struct btf_header header = { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(header), .type_len = (uint32_t)t->types.len,
				     .str_off = (uint32_t)t->types.len, .str_len = (uint32_t)t->names.len };
	struct bytes btf = { 0 };

	put(&btf, &header, sizeof(header));
	put(&btf, t->types.at, t->types.len);
	put(&btf, t->names.at, t->names.len);
	free(t->types.at);
	free(t->names.at);
	return btf;
}

static void
add_btf(struct image *image, struct types *t)
{
	struct bytes btf = btf_of(t);

	add_data(image, ".BTF", 0, btf.at, btf.len);
	free(btf.at);
}

/* Type 1: a struct of 1000 members, without names, each of which is the struct. */
static void
add_circle(struct types *t)
{
	uint32_t members[3 * 1000] = { 0 };

	for (int i = 0; i < 1000; i++)
		members[3 * i + 1] = 1;
	add_type(t, "circle", BTF_KIND_STRUCT, 1000, 8, members, 3 * 1000);
}

/* A .BTF.ext with one list: n records of `words` words about section raw_tp/x, all alike but for the instruction. */
static void
add_ext(struct image *image, bool is_core, uint32_t section_name, uint32_t n, const uint32_t record[4])
{
	uint32_t list_len = 4 + 8 + n * 16, header[8] = { BTF_MAGIC | BTF_VERSION << 16, sizeof(header), 0, 0, 0, is_core ? 0 : list_len, 0, is_core ? list_len : 0 };
	uint32_t head[3] = { 16, section_name, n };
	struct bytes ext = { 0 };

	put(&ext, header, sizeof(header));
	put(&ext, head, sizeof(head));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t words[4] = { 8 * i, record[1], record[2], record[3] };

		put(&ext, words, sizeof(words));
	}
	add_data(image, ".BTF.ext", 0, ext.at, ext.len);
	free(ext.at);
}

/* ---- what costs -------------------------------------------------------------------------------------------------------------- */

static void
code_in_layers(struct image *image)
{
	uint64_t off = put(&image->file, NULL, 4 * MiB);

	for (int i = 0; i < 1000; i++)
		add_symbol(image, "f", STT_FUNC, add_section(image, "raw_tp/x", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, off, 4 * MiB), 0, 4 * MiB);
}

static void
data_in_layers(struct image *image)
{
	uint64_t off = put(&image->file, NULL, 4 * MiB);
	char name[32];

	add_program(image, 2);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), ".data.%d", i);
		add_section(image, name, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, off, 4 * MiB);
	}
}

static void
section_of_everything(struct image *image)
{
	add_program(image, 2);
	add_section(image, ".data", SHT_PROGBITS, SHF_ALLOC, 64, UINT64_MAX - 64);
	add_section(image, ".rodata", SHT_PROGBITS, SHF_ALLOC, 64, 65);
}

static void
many_sections(struct image *image)
{
	add_program(image, 2);
	for (int i = 0; i < 70000; i++)
		add_section(image, "", SHT_PROGBITS, 0, 64, 0);
}

/* A thousand tables by one description, and contents for all of them. */
static void
contents_for_all(struct image *image)
{
	enum { INT = 1, SIZES, STRUCT = SIZES + 8, VAR, MAPS };
	const uint32_t sizes[4] = { BPF_MAP_TYPE_ARRAY, 4, 8, MiB / 2 };
	static const char *const fields[4] = { "type", "key_size", "value_size", "max_entries" };
	struct types t = { 0 };
	uint32_t members[12] = { 0 };
	uint16_t maps;

	add_type(&t, "int", BTF_KIND_INT, 0, 4, (uint32_t[]){ 32 }, 1);
	for (uint32_t i = 0; i < 4; i++) {
		add_type(&t, "", BTF_KIND_ARRAY, 0, 0, (uint32_t[]){ INT, INT, sizes[i] }, 3);
		add_type(&t, "", BTF_KIND_PTR, 0, SIZES + 2 * i, NULL, 0);
		members[3 * i] = put_name(&t.names, fields[i]);
		members[3 * i + 1] = SIZES + 2 * i + 1;
		members[3 * i + 2] = 64 * i;
	}
	add_type(&t, "", BTF_KIND_STRUCT, 4, 32, members, 12);
	add_type(&t, "m", BTF_KIND_VAR, 0, STRUCT, (uint32_t[]){ 1 }, 1);
	add_type(&t, ".maps", BTF_KIND_DATASEC, 1, 32, (uint32_t[]){ VAR, 0, 32 }, 3);
	add_btf(image, &t);
	add_program(image, 2);
	maps = add_data(image, ".maps", SHF_ALLOC, NULL, 32);
	add_data(image, ".ktap.init.m", 0, NULL, 4 * MiB);
	for (int i = 0; i < 1000; i++)
		add_symbol(image, "m", STT_OBJECT, maps, 0, 32);
}

static void
lines_of_one_text(struct image *image)
{
	struct types t = { 0 };
	uint32_t section, text;
	char *long_text = calloc(1, MiB);

	memset(long_text, 'x', MiB - 1);
	add_type(&t, "int", BTF_KIND_INT, 0, 4, (uint32_t[]){ 32 }, 1);
	section = put_name(&t.names, "raw_tp/x");
	text = put_name(&t.names, long_text);
	free(long_text);
	add_program(image, 20000);
	add_btf(image, &t);
	add_ext(image, false, section, 20000, (uint32_t[]){ 0, text, text, 1 << 10 });
}

/* Of lines that follow each other none has the text of the one before. */
static void
lines_by_turns(struct image *image)
{
	Elf64_Shdr *ext;

	lines_of_one_text(image);
	ext = (Elf64_Shdr *)(image->headers.at + image->headers.len) - 1;
	for (uint32_t i = 0; i < 20000; i += 2)
		image->file.at[ext->sh_offset + 32 + 12 + 16 * i + 8] ^= 1;
}

static void
name_of_a_megabyte(struct image *image)
{
	char *name = calloc(1, MiB);
	struct types t = { 0 };

	memset(name, 'x', MiB - 1);
	add_type(&t, name, BTF_KIND_INT, 0, 4, (uint32_t[]){ 32 }, 1);
	free(name);
	add_program(image, 2);
	add_btf(image, &t);
}

static void
many_cores(struct image *image)
{
	struct types t = { 0 };
	uint32_t section;

	add_circle(&t);
	section = put_name(&t.names, "raw_tp/x");
	add_program(image, 70000);
	add_btf(image, &t);
	add_ext(image, true, section, 70000, (uint32_t[]){ 0, 1, 0, BPF_CORE_TYPE_EXISTS });
}

/* Is there a lock in it? That is looked for in a structure in a structure in ... */
static void
value_in_circles(struct image *image)
{
	struct types t = { 0 };

	add_circle(&t);
	add_type(&t, "v", BTF_KIND_VAR, 0, 1, (uint32_t[]){ 1 }, 1);
	add_type(&t, ".bss", BTF_KIND_DATASEC, 1, 8, (uint32_t[]){ 2, 0, 8 }, 3);
	add_btf(image, &t);
	add_program(image, 2);
	add_section(image, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0, 8);
}

static void
sections_among_types(struct image *image)
{
	struct types t = { 0 };
	uint32_t head[3] = { 0, BTF_KIND_DATASEC << 24, 0 };
	char name[32];

	head[0] = 1;
	put_name(&t.names, "");
	put_name(&t.names, ".bss.of_another_name");
	for (int i = 0; i < 1000000; i++)
		put(&t.types, head, sizeof(head));
	add_btf(image, &t);
	add_program(image, 2);
	for (int i = 0; i < 4000; i++) {
		snprintf(name, sizeof(name), ".bss.of_%d", i);
		add_section(image, name, SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0, 8);
	}
}

static void
call_of_far_away(struct image *image)
{
	struct bpf_insn call[2] = { { .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = INT32_MAX }, { .code = BPF_JMP | BPF_EXIT } };
	uint16_t section = add_data(image, "raw_tp/x", SHF_ALLOC | SHF_EXECINSTR, call, sizeof(call)), rels;
	Elf64_Rel rel = { .r_offset = 0, .r_info = ELF64_R_INFO(2, 10) };

	add_symbol(image, "program", STT_FUNC, section, 0, sizeof(call));
	add_symbol(image, "away", STT_NOTYPE, section, INT64_MAX, 0);
	rels = add_data(image, ".relraw_tp/x", 0, &rel, sizeof(rel));
	((Elf64_Shdr *)image->headers.at)[rels].sh_type = SHT_REL;
	((Elf64_Shdr *)image->headers.at)[rels].sh_info = section;
}

/* ---- in a process of its own ---------------------------------------------------------------------------------------------- */

struct cost {
	int status;     /* of the process: 0: read; 1: refused */
	uint64_t kb;    /* at its peak */
	double seconds; /* on the CPU */
	char message[512];
};

static struct cost
cost_of(int (*fn)(const struct bytes *file, struct text *why), const struct bytes *file)
{
	struct cost cost = { 0 };
	struct rusage usage;
	int pipe_fds[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct text why = { 0 };
		int refused = fn(file, &why);

		(void)!write(pipe_fds[1], why.s ? why.s : "", why.len < sizeof(cost.message) ? why.len : sizeof(cost.message) - 1);
		_exit(refused ? 1 : 0);
	}
	close(pipe_fds[1]);
	n = read(pipe_fds[0], cost.message, sizeof(cost.message) - 1);
	cost.message[n > 0 ? n : 0] = '\0';
	close(pipe_fds[0]);
	assert_int_equal(wait4(pid, &cost.status, 0, &usage), pid);
	cost.status = WIFEXITED(cost.status) ? WEXITSTATUS(cost.status) : -WTERMSIG(cost.status);
	cost.kb = (uint64_t)usage.ru_maxrss;
	cost.seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	return cost;
}

static int
read_nothing(const struct bytes *file, struct text *why)
{
	return 0;
}

static int
read_it(const struct bytes *file, struct text *why)
{
	return !elf_read_memory(arena_new(), "hostile.o", file->at, file->len, why);
}

static int
read_outline(const struct bytes *file, struct text *why)
{
	return !elf_read_outline(arena_new(), "hostile.o", file->at, file->len, why);
}

static void
check_cost(const char *name, const struct cost *cost, const struct cost *nothing, size_t len)
{
	uint64_t max = nothing->kb + ROOM_KB + FILES_MAX * (uint64_t)len / 1024;

	if (cost->status < 0 || cost->status > 1)
		fail_msg("%s: the reader ended with %d: %s", name, cost->status, cost->message);
	if (cost->kb > max || cost->seconds > SECONDS_MAX)
		fail_msg("%s: a file of %zu kB took %d kB of memory (at most %d) and %.1f s", name, len / 1024, (int)cost->kb, (int)max, cost->seconds);
}

/* NULL: it is read. */
static const struct {
	const char *name;
	void (*build)(struct image *image);
	const char *message;
} cases[] = {
	{ "code in layers", code_in_layers, "lie over each other" },
	{ "data in layers", data_in_layers, "lie over each other" },
	{ "a section of everything", section_of_everything, "past the end of the file" },
	{ "many sections", many_sections, "more than 65535 sections" },
	{ "contents for a thousand tables", contents_for_all, "has the contents of two tables" },
	{ "lines of one text", lines_of_one_text, NULL },
	{ "lines by turns", lines_by_turns, "reading it would take too long" },
	{ "a name of a megabyte", name_of_a_megabyte, "a name of more than 1023 bytes" },
	{ "many CO-RE relocations", many_cores, NULL },
	{ "a value in circles", value_in_circles, "reading it would take too long" },
	{ "sections among types", sections_among_types, "reading it would take too long" },
	{ "a call of far away", call_of_far_away, "refers to \"away\", byte 9223372036854775807" },
};

static void
test_cost(void **state)
{
	struct bytes none = { 0 };
	struct cost nothing = cost_of(read_nothing, &none);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct image image;
		struct cost cost;

		image_begin(&image);
		cases[i].build(&image);
		image_end(&image);
		cost = cost_of(read_outline, &image.file);
		check_cost(cases[i].name, &cost, &nothing, image.file.len);
		cost = cost_of(read_it, &image.file);
		check_cost(cases[i].name, &cost, &nothing, image.file.len);
		if (cost.status != (cases[i].message != NULL) || (cases[i].message && !strstr(cost.message, cases[i].message)))
			fail_msg("%s: %s: %s", cases[i].name, cost.status ? "refused" : "read", cost.message);
		free(image.file.at);
	}
}

/* The lines are there all the same, and the text that all share is whole. */
static void
test_lines(void **state)
{
	struct arena *arena = arena_new();
	const struct object *object;
	struct image image;
	struct text why = { 0 };

	image_begin(&image);
	lines_of_one_text(&image);
	image_end(&image);
	object = elf_read_memory(arena, "lines.o", image.file.at, image.file.len, &why);
	assert_non_null(object);
	assert_int_equal(object->funcs[0]->n_lines, 20000);
	assert_int_equal(strlen(object->funcs[0]->lines[19999].text), MiB - 1);
	arena_free(arena);
	free(image.file.at);
}

static int
look_for_member(const struct bytes *file, struct text *why)
{
	struct typeinfo *types = typeinfo_new(file->at, file->len, NULL, why);
	struct typeinfo_member found;

	return !types || !typeinfo_member(types, 1, "none", &found);
}

/* A member is looked for in structures without a name, too, as in C. */
static void
test_member(void **state)
{
	struct bytes none = { 0 }, btf;
	struct types t = { 0 };
	struct cost cost, nothing = cost_of(read_nothing, &none);

	add_circle(&t);
	btf = btf_of(&t);
	cost = cost_of(look_for_member, &btf);
	check_cost("members in circles", &cost, &nothing, btf.len);
	assert_int_equal(cost.status, 1);
	assert_string_equal(cost.message, "");
	free(btf.at);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_cost), cmocka_unit_test(test_lines), cmocka_unit_test(test_member) };

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}

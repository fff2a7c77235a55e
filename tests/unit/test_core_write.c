/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * CO-RE, the way out: what instructions say of a kernel's types by name is written into a file and, read from there, fitted to other types. Both
 * kernels are made up here, so that every number is known:
 *
 *     here    struct s { int a; unsigned f:3 (bit 37); struct in { u64 x; t y; } list[4] (byte 8); union { int u; enum e v; } (72); t *p; } t: struct { int n; }
 *     there   the same 16 bytes further on, f of 5 bits in the word before, in of 24 bytes with y before x, u alone of 8 bytes
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "ebpf/ebpf_int.h"

struct kernel {
	uint32_t a, f_bit, f_bits, list, in_size, x, y, u_size, un;
};

static const struct kernel kernel_here = { .a = 0, .f_bit = 37, .f_bits = 3, .list = 8, .in_size = 16, .x = 0, .y = 8, .u_size = 4, .un = 72 },
			   kernel_there = { .a = 16, .f_bit = 64, .f_bits = 5, .list = 24, .in_size = 24, .x = 16, .y = 0, .u_size = 8, .un = 128 };

static struct typeinfo *
make_types(const struct kernel *k)
{
	struct btf *btf = btf__new_empty();
	int i32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED), u32 = btf__add_int(btf, "unsigned int", 4, 0), u64 = btf__add_int(btf, "u64", 8, 0);
	int i64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED), anonymous, t, in, list, un, e, p;
	struct text why = { 0 };
	struct typeinfo *types;
	const void *raw;
	uint32_t len;

	anonymous = btf__add_struct(btf, NULL, 4);
	btf__add_field(btf, "n", i32, 0, 0);
	t = btf__add_typedef(btf, "t", anonymous);
	in = btf__add_struct(btf, "in", k->in_size);
	btf__add_field(btf, k->x < k->y ? "x" : "y", k->x < k->y ? u64 : t, 0, 0);
	btf__add_field(btf, k->x < k->y ? "y" : "x", k->x < k->y ? t : u64, 8 * (k->x < k->y ? k->y : k->x), 0);
	list = btf__add_array(btf, u32, in, 4);
	e = btf__add_enum(btf, "e", 4);
	btf__add_enum_value(btf, "zero", 0);
	btf__add_enum_value(btf, "minus", -1);
	un = btf__add_union(btf, NULL, k->u_size);
	btf__add_field(btf, "u", k->u_size == 8 ? i64 : i32, 0, 0);
	btf__add_field(btf, "v", e, 0, 0);
	p = btf__add_ptr(btf, t);
	btf__add_struct(btf, "s", 256);
	btf__add_field(btf, "a", i32, 8 * k->a, 0);
	btf__add_field(btf, "f", u32, k->f_bit, k->f_bits);
	btf__add_field(btf, "list", list, 8 * k->list, 0);
	btf__add_field(btf, "", un, 8 * k->un, 0);
	btf__add_field(btf, "p", p, 8 * (k->un + k->u_size), 0);
	raw = btf__raw_data(btf, &len);
	types = typeinfo_new(raw, len, NULL, &why);
	btf__free(btf);
	if (!types)
		fail_msg("%s", why.s);
	return types;
}

/* What is asked, and the number here and there. */
static const struct ask {
	struct core_number number;
	int32_t here, there;
} asks[] = {
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.a" }, 0, 16 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.f" }, 4, 8 },
	{ { BPF_CORE_FIELD_BYTE_SIZE, "struct s.f" }, 4, 4 },
	{ { BPF_CORE_FIELD_LSHIFT_U64, "struct s.f" }, 64 - 3 - 5, 64 - 5 },
	{ { BPF_CORE_FIELD_RSHIFT_U64, "struct s.f" }, 61, 59 },
	{ { BPF_CORE_FIELD_SIGNED, "struct s.f" }, 0, 0 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.list[0]" }, 8, 24 },
	{ { BPF_CORE_FIELD_BYTE_SIZE, "struct s.list[0]" }, 16, 24 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.list[2].y" }, 48, 72 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.list[1].y.n" }, 32, 48 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct in.x" }, 0, 16 },
	{ { BPF_CORE_FIELD_BYTE_SIZE, "struct in" }, 16, 24 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "t.n" }, 0, 0 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.u" }, 72, 128 },
	{ { BPF_CORE_FIELD_BYTE_SIZE, "struct s.u" }, 4, 8 },
	{ { BPF_CORE_FIELD_SIGNED, "struct s.u" }, 1, 1 },
	{ { BPF_CORE_FIELD_SIGNED, "struct s.v" }, 1, 1 },
	{ { BPF_CORE_FIELD_BYTE_OFFSET, "struct s.p" }, 76, 136 },
};

static struct object *
make_object(struct arena *arena, const struct ask *list, uint32_t n)
{
	struct object *object = object_new(arena, "made", NULL);
	struct code code;

	code_init(&code, arena);
	for (uint32_t i = 0; i < n; i++) {
		code_emit(&code, insn_mov_imm(0, list[i].here));
		code_core(&code, &list[i].number);
	}
	code_emit(&code, insn_exit());
	code_finish(&code);
	object_add_func(object, func_from_code(&code, "f", "raw_tp/x"));
	return object;
}

/* Writes and reads again. */
static struct object *
through_file(struct arena *arena, struct object *object)
{
	char path[] = "/tmp/ktap-test-XXXXXX";
	int fd = mkstemp(path);
	struct text why = { 0 };
	struct object *read;

	assert_true(fd >= 0);
	close(fd);
	if (elf_write(object, path, &why))
		fail_msg("%s", why.s);
	read = elf_read(arena, path, &why);
	unlink(path);
	if (!read)
		fail_msg("%s", why.s);
	return read;
}

static void
fit(struct object *object, const struct typeinfo *types)
{
	struct core_target *target = core_target_of(types);
	struct text why = { 0 };

	if (core_apply(object, target, &why))
		fail_msg("%s", why.s);
	core_target_free(target);
}

static void
test_fitted(void **state)
{
	struct typeinfo *here = make_types(&kernel_here), *there = make_types(&kernel_there);
	struct arena *arena = arena_new();

	(void)state;
	for (int moved = 0; moved < 2; moved++) {
		struct object *object = make_object(arena, asks, ARRAY_SIZE(asks));

		object->kernel = here;
		object = through_file(arena, object);
		assert_int_equal(object->funcs[0]->n_cores, ARRAY_SIZE(asks));
		fit(object, moved ? there : here);
		for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
			const struct func *func = object->funcs[0];

			if (func->cores[i].unresolved || func->insns[i].imm != (moved ? asks[i].there : asks[i].here))
				fail_msg("%s: %d (%s)", asks[i].number.path, func->insns[i].imm,
					 func->cores[i].unresolved ? func->cores[i].unresolved : "resolved");
		}
	}
	typeinfo_free(here);
	typeinfo_free(there);
	arena_free(arena);
}

/* Names that lead nowhere are refused when the file is written. */
static void
test_unknown(void **state)
{
	static const char *const paths[] = { "struct none.a", "struct s.b", "struct s.a[0]", "struct s.list.x", "struct s.p.n", "union s.a", "s.a", "struct s.list[0" };
	struct typeinfo *here = make_types(&kernel_here);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct ask ask = { { BPF_CORE_FIELD_BYTE_OFFSET, paths[i] }, 0, 0 };
		struct arena *arena = arena_new();
		struct object *object = make_object(arena, &ask, 1);
		struct text why = { 0 };

		object->kernel = here;
		assert_int_equal(elf_write(object, "/nowhere/ktap.o", &why), -ENOENT);
		if (!strstr(why.s, paths[i]) || !strstr(why.s, "types have no"))
			fail_msg("%s", why.s);
		text_fini(&why);
		arena_free(arena);
	}
	typeinfo_free(here);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_fitted), cmocka_unit_test(test_unknown) };

	return cmocka_run_group_tests_name("core_write", tests, NULL, NULL);
}

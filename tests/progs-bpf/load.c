/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * load FILE.o: (libbpf reads it as ktap hands it over, elf_mend) what the kernel's verifier says of each program of an object, loaded by libbpf all
 * together, as tables of programs want it, or, where that fails, one by one. Prints "NAME ok" or "NAME refused" a line; status 2: the
 * kernel permits us none at all.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ebpf/ebpf.h"

static char log_text[1 << 18];
static uint8_t file[1 << 20];
static size_t file_len;

static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static int
may_load(void)
{
	const struct bpf_insn insns[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", insns, 2, NULL) >= 0;
}

static void
set_type(struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	if (strcmp(section, "init") == 0 || strcmp(section, "fini") == 0)
		bpf_program__set_type(prog, BPF_PROG_TYPE_RAW_TRACEPOINT);
}

/* True: all were accepted. */
static bool
load_all(void)
{
	struct bpf_object *object = bpf_object__open_mem(file, file_len, NULL);
	struct bpf_program *prog;
	bool ok;

	if (!object)
		return false;
	bpf_object__for_each_program(prog, object)
		set_type(prog);
	ok = bpf_object__load(object) == 0;
	bpf_object__for_each_program(prog, object)
		if (ok)
			printf("%s ok\n", bpf_program__name(prog));
	bpf_object__close(object);
	return ok;
}

/* Only the n-th program; 0: it was accepted, 1: refused, -1: there is none. */
static int
load_one(int n)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log_text, .kernel_log_size = sizeof(log_text), .kernel_log_level = 1);
	struct bpf_object *object = bpf_object__open_mem(file, file_len, &opts);
	struct bpf_program *prog;
	const char *name = NULL;
	int i = 0, refused;

	if (!object)
		return -1;
	bpf_object__for_each_program(prog, object) {
		bpf_program__set_autoload(prog, i == n);
		set_type(prog);
		if (i++ == n)
			name = bpf_program__name(prog);
	}
	if (!name) {
		bpf_object__close(object);
		return -1;
	}
	refused = bpf_object__load(object) < 0;
	printf("%s %s\n", name, refused ? "refused" : "ok");
	if (refused)
		fprintf(stderr, "%s: %s\n", name, log_text);
	bpf_object__close(object);
	return refused;
}

int
main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;

	libbpf_set_print(quiet);
	if (!in || !may_load())
		return 2;
	file_len = fread(file, 1, sizeof(file), in);
	fclose(in);
	elf_mend(file, file_len);
	if (!load_all())
		for (int n = 0; load_one(n) >= 0; n++)
			;
	return 0;
}

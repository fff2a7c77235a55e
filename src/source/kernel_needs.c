/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Has this kernel what an object needs (ebpf/needs.c), and what we can do without where we must? The kernel itself is asked, with a table or program of a few bytes for each: what its version
 * says is no proof either way. Where the question cannot be asked the answer is yes: loading will tell.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "source/kernel_int.h"

int
kernel_try_program(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n_insns, struct bpf_prog_load_opts *opts)
{
	int fd = bpf_prog_load(type, "ktap_probe", PROGRAM_LICENSE, insns, n_insns, opts);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int
source_kernel_permitted(struct text *why)
{
	const struct bpf_insn insns[] = { insn_mov_imm(0, 0), insn_exit() };
	int err = kernel_try_program(BPF_PROG_TYPE_RAW_TRACEPOINT, insns, ARRAY_SIZE(insns), NULL);

	if (err < 0)
		kernel_explain(err, "eBPF programs", why);
	return err;
}

/* ---- helpers --------------------------------------------------------------------------------- */

/* What the verifier says of one: it knows none of that number, or none for this type (in an older and a newer wording). */
static const char *const helper_refusals[] = { "invalid func ", "unknown func ", "cannot use helper " };

/*
 * The helper is called without arguments: that no verifier lets pass where it takes any, but who it is comes first. Not
 * libbpf_probe_bpf_helper, for older libbpf does not know the newer wording, and takes every helper to be there.
 */
bool
kernel_has_helper(enum bpf_prog_type type, int32_t helper)
{
	char log[4096] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = 1, .log_buf = log, .log_size = sizeof(log));
	const struct bpf_insn insns[] = { insn_call(helper), insn_mov_imm(0, 0), insn_exit() };
	int err = kernel_try_program(type, insns, ARRAY_SIZE(insns), &opts);
	bool has = true;

	for (size_t i = 0; err < 0 && i < ARRAY_SIZE(helper_refusals); i++)
		has &= !strstr(log, helper_refusals[i]);
	if (debug_on(DEBUG_KERNEL))
		fprintf(stderr, "kernel: BPF_PROG_LOAD type %d, has it helper %d? %s\n", type, helper, has ? "yes" : "no");
	return has;
}

bool
source_kernel_has_helper(int32_t helper)
{
	return kernel_has_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, helper);
}

/* ---- other needs ----------------------------------------------------------------------------- */

bool
kernel_preempts_uprobes(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	const struct bpf_insn insns[] = { insn_mov_imm(0, 0), insn_exit() };

	return kernel_try_program(BPF_PROG_TYPE_KPROBE, insns, ARRAY_SIZE(insns), &opts) == 0;
}

static bool
has_mappable(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ktap_probe", 4, 8, 1, &opts);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * A helper is there if programs of one of these types may call it; those that run in the kernel's tracing all may call nearly the same. A kernel that
 * is locked down denies helpers that it has: loading will tell.
 */
static bool
has_helper(int32_t helper)
{
	return kernel_has_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, helper) || kernel_has_helper(BPF_PROG_TYPE_KPROBE, helper) ||
	       kernel_has_helper(BPF_PROG_TYPE_PERF_EVENT, helper) || kernel_is_locked_down();
}

/* r0 = (s8)0, of version 4. */
static bool
has_cpu_v4(void)
{
	const struct bpf_insn insns[] = { insn_mov_imm(0, 0), insn_make(BPF_ALU64 | BPF_MOV | BPF_X, 0, 0, 8, 0), insn_exit() };

	return kernel_try_program(BPF_PROG_TYPE_RAW_TRACEPOINT, insns, ARRAY_SIZE(insns), NULL) == 0;
}

static bool
has_need(const struct object_need *need)
{
	switch (need->kind) {
	case NEED_TABLE:
		return libbpf_probe_bpf_map_type((enum bpf_map_type)need->number, NULL) != 0;
	case NEED_MAPPABLE:
		return has_mappable();
	case NEED_HELPER:
		return has_helper(need->number);
	case NEED_CPU:
		return need->number < 4 || has_cpu_v4();
	case NEED_PROGRAM:
		return libbpf_probe_bpf_prog_type((enum bpf_prog_type)need->number, NULL) != 0;
	case NEED_TYPES:
		return access(CORE_KERNEL, R_OK) == 0;
	case NEED_ATTACH: /* who attaches knows which events are concerned, and which of them a glob brought */
	case N_NEED_KINDS:
		break;
	}
	return true;
}

static uint32_t
list_lacks(const struct object_need *needs, uint32_t n_needs, struct text *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_needs; i++)
		if (!has_need(&needs[i])) {
			text_puts(list, n++ ? ", " : "");
			need_print(&needs[i], list);
		}
	return n;
}

uint32_t
source_kernel_lacks(const struct object *object, struct text *list)
{
	struct text why = { 0 };
	uint32_t n = 0;

	if (source_kernel_permitted(&why) == 0)
		n = list_lacks(object->needs, object->n_needs, list);
	text_fini(&why);
	return n;
}

bool
kernel_explain_lack(const struct object *object, struct text *why)
{
	struct text list = { 0 };
	struct object_need *needs;
	struct utsname name;
	struct arena *arena = arena_new();
	uint32_t n;

	n = object_needs(object, arena, NULL, &needs);
	n = list_lacks(needs, n, &list);
	if (n)
		text_printf(why, "this kernel (Linux %s) has not what the script needs: %s; a newer one has, and so has --engine=user",
			    uname(&name) ? "?" : name.release, list.s);
	arena_free(arena);
	text_fini(&list);
	return n;
}

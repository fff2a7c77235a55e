/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Process ids where ktap runs in a pid namespace (a container). A process has a number there and another one on the host:
 *
 *     targets, their children    kept by the host's numbers: they are what programs get for nothing, and processes in namespaces below
 *                                ours, which have other numbers again, are followed all the same
 *     pid, tid, user stacks      the namespace's numbers, as getpid(2) and ps show them: handlers call, in place of
 *                                bpf_get_current_pid_tgid, a function that is made here; 0 for a process that is not in the namespace
 *     ppid                       likewise, in place of the function that the object has for it
 *
 * The function asks bpf_get_ns_current_pid_tgid (Linux 5.7), which knows processes that live in just this namespace; those below it are found
 * through struct pid, which has the numbers of all levels:
 *
 *     task -> thread_pid, signal -> pids[PIDTYPE_TGID]    struct pid { level, numbers[] { nr, ns -> ns.inum } }
 *
 * Where the kernel has no BTF, processes below the namespace have no number, and a process cannot be followed.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/btf.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"
#define INIT_PID_NS  0xEFFFFFFCu /* inode of the first pid namespace; include/linux/proc_ns.h */
#define PIDTYPE_TGID 1           /* include/linux/pid_types.h */
#define MINOR_BITS   20          /* of dev_t in the kernel; include/linux/kdev_t.h */

#define OFF_READ (-16) /* in the frames of what is made here */
#define OFF_IDS  (-8)  /* struct bpf_pidns_info */

/* ---- the kernel's structures ----------------------------------------------------------------- */

/* The offset in bytes of a member of the struct, and where *id is not NULL the type of that. */
static bool
find_member(const struct typeinfo *types, uint32_t owner, const char *name, uint32_t *offset, uint32_t *id)
{
	struct typeinfo_member member;

	if (!owner || !typeinfo_member(types, owner, name, &member))
		return false;
	*offset = member.bit_off / 8;
	if (id)
		*id = member.type;
	return true;
}

static bool
find_offsets(const struct typeinfo *types, struct pid_offsets *offsets)
{
	uint32_t task = typeinfo_find(types, "task_struct", BTF_KIND_STRUCT), signal = typeinfo_find(types, "signal_struct", BTF_KIND_STRUCT),
		 pid = typeinfo_find(types, "pid", BTF_KIND_STRUCT), upid = typeinfo_find(types, "upid", BTF_KIND_STRUCT),
		 space = typeinfo_find(types, "pid_namespace", BTF_KIND_STRUCT), common, inum;
	int64_t size = typeinfo_size(types, upid);

	if (size <= 0 || !find_member(types, task, "thread_pid", &offsets->task_pid, NULL) ||
	    !find_member(types, task, "signal", &offsets->task_signal, NULL) || !find_member(types, task, "tgid", &offsets->task_tgid, NULL) ||
	    !find_member(types, task, "real_parent", &offsets->task_parent, NULL) || !find_member(types, signal, "pids", &offsets->signal_pids, NULL) || !find_member(types, pid, "level", &offsets->level, NULL) ||
	    !find_member(types, pid, "numbers", &offsets->numbers, NULL) || !find_member(types, upid, "nr", &offsets->nr, NULL) ||
	    !find_member(types, upid, "ns", &offsets->space, NULL) || !find_member(types, space, "ns", &offsets->inum, &common) ||
	    !find_member(types, common, "inum", &inum, NULL))
		return false;
	offsets->upid_size = (uint32_t)size;
	offsets->inum += inum;
	return true;
}

/* ---- pieces of programs ---------------------------------------------------------------------- */

/* dst = `size` bytes at src + off of the kernel's memory; 0 where they cannot be read. Clobbers r0 to r5. */
static void
emit_read(struct code *code, uint8_t size, uint8_t dst, uint8_t src, uint32_t off)
{
	code_emit(code, insn_store_imm(BPF_DW, 10, OFF_READ, 0));
	code_emit(code, insn_mov(1, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 1, OFF_READ));
	code_emit(code, insn_mov_imm(2, size == BPF_DW ? 8 : 4));
	code_emit(code, insn_mov(3, src));
	code_emit(code, insn_alu_imm(BPF_ADD, 3, (int32_t)off));
	code_emit(code, insn_call(BPF_FUNC_probe_read_kernel));
	code_emit(code, insn_load(size, dst, 10, OFF_READ));
}

/* The offset in struct pid of the number (or with `of` = space, the namespace) that it has on our level. */
static uint32_t
on_our_level(const struct pid_space *pids, uint32_t of)
{
	return pids->offsets.numbers + pids->level * pids->offsets.upid_size + of;
}

static int
load(enum bpf_prog_type type, const struct code *code, struct bpf_prog_load_opts *opts)
{
	return bpf_prog_load(type, "ktap_ids", PROGRAM_LICENSE, code->insns, code->n, opts);
}

/* What a program returns that runs once, in our own context. */
static int
run_here(const struct code *code, uint32_t *result)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int err, fd = load(BPF_PROG_TYPE_RAW_TRACEPOINT, code, NULL);

	if (fd < 0)
		return fd;
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	if (err == 0)
		*result = run.retval;
	return err;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Our own process id as programs see it. */
static void
read_self(struct pid_space *pids, struct arena *arena)
{
	struct code code;

	code_init(&code, arena);
	code_emit(&code, insn_call(BPF_FUNC_get_current_pid_tgid));
	code_emit(&code, insn_alu_imm(BPF_RSH, 0, 32));
	code_emit(&code, insn_exit());
	if (code_finish(&code) == 0)
		run_here(&code, &pids->self); /* where it fails nothing will be traced either */
}

/* How deep our namespace is: the level of our own struct pid. */
static bool
read_level(struct pid_space *pids, struct arena *arena)
{
	struct code code;

	code_init(&code, arena);
	code_emit(&code, insn_call(BPF_FUNC_get_current_task));
	code_emit(&code, insn_mov(6, 0));
	emit_read(&code, BPF_DW, 6, 6, pids->offsets.task_pid);
	emit_read(&code, BPF_W, 0, 6, pids->offsets.level);
	code_emit(&code, insn_exit());
	return code_finish(&code) == 0 && run_here(&code, &pids->level) == 0;
}

void
pid_space_open(struct pid_space *pids)
{
	struct arena *arena;
	struct typeinfo *types;
	struct text why = { 0 };
	struct stat st;

	*pids = (struct pid_space){ .self = (uint32_t)getpid() };
	if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino == INIT_PID_NS)
		return;
	pids->is_inner = true;
	pids->device = (uint64_t)major(st.st_dev) << MINOR_BITS | minor(st.st_dev);
	pids->inode = st.st_ino;
	arena = arena_new();
	read_self(pids, arena);
	types = typeinfo_open(KERNEL_TYPES, NULL, &why);
	pids->knows_levels = types && find_offsets(types, &pids->offsets) && read_level(pids, arena);
	if (types)
		pids->iterator = typeinfo_find(types, "bpf_iter_task", BTF_KIND_FUNC);
	typeinfo_free(types);
	text_fini(&why);
	arena_free(arena);
	if (debug_on(DEBUG_KERNEL))
		fprintf(stderr, "kernel: in a pid namespace (inode %llu), level %u; %u on the host\n", (unsigned long long)pids->inode,
			pids->level, pids->self);
}

/* ---- a process's number on the host ---------------------------------------------------------- */

/*
 * A program for the kernel's iterator over tasks, called with struct bpf_iter__task { meta, task } for each: writes the host's number of the one
 * that has number `pid` in our namespace.
 */
static void
code_search(const struct pid_space *pids, pid_t pid, struct code *code)
{
	uint32_t out = code_label(code);

	code_emit(code, insn_mov(6, 1));
	code_emit(code, insn_load(BPF_DW, 7, 6, 8));
	code_branch_imm(code, BPF_JEQ, 7, 0, out); /* the call behind the last */
	emit_read(code, BPF_DW, 8, 7, pids->offsets.task_pid);
	emit_read(code, BPF_W, 8, 8, on_our_level(pids, pids->offsets.nr));
	code_branch_imm(code, BPF_JNE, 8, (int32_t)pid, out);
	emit_read(code, BPF_W, 8, 7, pids->offsets.task_tgid);
	code_emit(code, insn_store(BPF_DW, 10, 8, OFF_IDS));
	code_emit(code, insn_load(BPF_DW, 1, 6, 0));
	code_emit(code, insn_load(BPF_DW, 1, 1, 0)); /* meta->seq */
	code_emit(code, insn_mov(2, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 2, OFF_IDS));
	code_emit(code, insn_mov_imm(3, sizeof(uint32_t)));
	code_emit(code, insn_call(BPF_FUNC_seq_write));
	code_bind(code, out);
	code_emit(code, insn_mov_imm(0, 0));
	code_emit(code, insn_exit());
}

/* Runs it over all tasks that our namespace sees. */
static int
search(const struct pid_space *pids, const struct code *code, uint32_t *host)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER, .attach_btf_id = pids->iterator);
	int err, iterator, link, prog = load(BPF_PROG_TYPE_TRACING, code, &opts);
	ssize_t n;

	if (prog < 0)
		return prog;
	link = bpf_link_create(prog, 0, BPF_TRACE_ITER, NULL);
	close(prog);
	if (link < 0)
		return link;
	iterator = bpf_iter_create(link);
	close(link);
	if (iterator < 0)
		return iterator;
	do
		n = read(iterator, host, sizeof(*host));
	while (n < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: very many tasks, and none yet */
	err = n < 0 ? -errno : n == sizeof(*host) ? 0 : -ESRCH;
	close(iterator);
	return err;
}

int
pid_space_host(const struct pid_space *pids, pid_t pid, uint32_t *host, struct text *why)
{
	struct arena *arena;
	struct code code;
	int err;

	*host = (uint32_t)pid;
	if (!pids->is_inner)
		return 0;
	if (!pids->knows_levels || !pids->iterator) {
		text_puts(why, "following a process from inside a pid namespace (a container) needs the kernel's type information "
			  "(/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF) and its iterator over tasks (Linux 5.8), which are not here: "
			  "share the host's namespace (docker run --pid=host), or use --engine=user");
		return -EOPNOTSUPP;
	}
	arena = arena_new();
	code_init(&code, arena);
	code_search(pids, pid, &code);
	err = code_finish(&code);
	if (err == 0)
		err = search(pids, &code, host);
	arena_free(arena);
	if (err < 0)
		text_printf(why, "process %d: its number outside of this pid namespace is not found: %s", (int)pid, strerror(-err));
	return err;
}

/* ---- what handlers call ---------------------------------------------------------------------- */

/* Leaves for `none` unless the thread of the task in r6 is in our namespace or one below it. r7 = its struct pid. Clobbers r8. */
static void
code_check_space(const struct pid_space *pids, struct code *code, uint32_t none)
{
	const struct pid_offsets *at = &pids->offsets;

	emit_read(code, BPF_DW, 7, 6, at->task_pid);
	emit_read(code, BPF_W, 8, 7, at->level);
	code_branch_imm(code, BPF_JLT, 8, (int32_t)pids->level, none);
	emit_read(code, BPF_DW, 8, 7, on_our_level(pids, at->space));
	emit_read(code, BPF_W, 8, 8, at->inum);
	code_const(code, 1, (int64_t)pids->inode);
	code_branch(code, BPF_JNE, 8, 1, none);
}

/* r0 = our number of the process of the task in r6, which goes. */
static void
code_process(const struct pid_space *pids, struct code *code)
{
	emit_read(code, BPF_DW, 6, 6, pids->offsets.task_signal);
	emit_read(code, BPF_DW, 6, 6, pids->offsets.signal_pids + PIDTYPE_TGID * 8);
	emit_read(code, BPF_W, 0, 6, on_our_level(pids, pids->offsets.nr));
}

/* r0 = ids of a task that is in a namespace below ours, else goes on. */
static void
code_ids_below(const struct pid_space *pids, struct code *code)
{
	uint32_t none = code_label(code);

	code_emit(code, insn_call(BPF_FUNC_get_current_task));
	code_emit(code, insn_mov(6, 0));
	code_check_space(pids, code, none);
	emit_read(code, BPF_W, 7, 7, on_our_level(pids, pids->offsets.nr));
	code_process(pids, code);
	code_emit(code, insn_alu_imm(BPF_LSH, 0, 32));
	code_emit(code, insn_alu(BPF_OR, 0, 7));
	code_emit(code, insn_exit());
	code_bind(code, none);
}

const struct func *
pid_space_func(const struct pid_space *pids, struct arena *arena)
{
	struct code code;
	uint32_t other;

	code_init(&code, arena);
	other = code_label(&code);
	code_const(&code, 1, (int64_t)pids->device);
	code_const(&code, 2, (int64_t)pids->inode);
	code_emit(&code, insn_mov(3, 10));
	code_emit(&code, insn_alu_imm(BPF_ADD, 3, OFF_IDS));
	code_emit(&code, insn_mov_imm(4, sizeof(struct bpf_pidns_info)));
	code_emit(&code, insn_call(BPF_FUNC_get_ns_current_pid_tgid));
	code_branch_imm(&code, BPF_JNE, 0, 0, other);
	code_emit(&code, insn_load(BPF_W, 0, 10, OFF_IDS + (int16_t)offsetof(struct bpf_pidns_info, tgid)));
	code_emit(&code, insn_alu_imm(BPF_LSH, 0, 32));
	code_emit(&code, insn_load(BPF_W, 1, 10, OFF_IDS + (int16_t)offsetof(struct bpf_pidns_info, pid)));
	code_emit(&code, insn_alu(BPF_OR, 0, 1));
	code_emit(&code, insn_exit());
	code_bind(&code, other);
	if (pids->knows_levels)
		code_ids_below(pids, &code);
	code_emit(&code, insn_mov_imm(0, 0));
	code_emit(&code, insn_exit());
	return code_finish(&code) == 0 ? func_from_code(&code, "ktap_ids", "process ids") : NULL;
}

const struct func *
pid_space_ppid(const struct pid_space *pids, struct arena *arena)
{
	struct code code;
	uint32_t none;

	code_init(&code, arena);
	none = code_label(&code);
	if (pids->knows_levels) {
		code_emit(&code, insn_call(BPF_FUNC_get_current_task));
		emit_read(&code, BPF_DW, 6, 0, pids->offsets.task_parent);
		code_check_space(pids, &code, none);
		code_process(pids, &code);
		code_emit(&code, insn_exit());
	}
	code_bind(&code, none);
	code_emit(&code, insn_mov_imm(0, 0));
	code_emit(&code, insn_exit());
	return code_finish(&code) == 0 ? func_from_code(&code, FUNC_PPID, "process ids") : NULL;
}

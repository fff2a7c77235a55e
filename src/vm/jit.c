/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The compiler to machine code, as far as it is the same for all machines: which functions belong to a program, the two passes,
 * the walk over a function's instructions, and memory for code. What an instruction becomes is for the backend to say (jit_x86.c).
 *
 * Relies on the verifier: only what it accepted comes here. Promises that no page is ever writable and executable, not even for a
 * moment: code is written to fresh pages which then become readable and executable for good. A page that cannot be accessed lies
 * before and behind them, so that neither a wild jump nor a wild write beside one program gets into another.
 *
 *      guard     code, whole pages                                                              guard
 *     +---------+------------------------------------------------------------------------------+---------+
 *     | none    | starts | callbacks | callee | callee | entry | callee | addressed | traps    | none    |
 *     +---------+------------------------------------------------------------------------------+---------+
 *
 * The tables of `starts` and `callbacks` are there where the program takes addresses of functions: they hold, by the number of the function in
 * the object, where its code is (for callx) and its jit_callback (for helpers). What a program has in a register is that number, so that
 * no address of code is ever in its hands.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "vm/jit.h"

#if defined(__x86_64__)
static const struct jit_backend *const backend = &jit_x86;
#elif defined(__aarch64__)
static const struct jit_backend *const backend = &jit_arm64;
#else
static const struct jit_backend *const backend = NULL;
#endif

/* ---- what backends ask ------------------------------------------------------------------------------------- */

uint32_t
jit_writes(const struct bpf_insn *insn, const struct insn_info *info)
{
	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
	case SHAPE_UNARY:
	case SHAPE_LD64:
	case SHAPE_LOAD:
		return 1u << insn->dst_reg;
	case SHAPE_ATOMIC:
		if (info->id == INSN_ATOMIC_CMPXCHG64 || info->id == INSN_ATOMIC_CMPXCHG32)
			return 1;
		return insn->imm & BPF_FETCH ? 1u << insn->src_reg : 0;
	case SHAPE_CALL:
		return 0x3f;
	case SHAPE_STORE:
	case SHAPE_JUMP:
	case SHAPE_COND:
	case SHAPE_EXIT:
	case SHAPE_PACKET:
		break;
	}
	return 0;
}

const struct reloc *
jit_reloc(struct jit_func *f, uint32_t pc)
{
	const struct reloc *reloc;

	if (f->next_reloc >= f->func->n_relocs || f->func->relocs[f->next_reloc].pc != pc) {
		reloc = func_reloc(f->func, pc);
		if (!reloc)
			return NULL;
		f->next_reloc = (uint32_t)(reloc - f->func->relocs);
	}
	return &f->func->relocs[f->next_reloc++];
}

uint32_t
jit_target(const struct jit_func *f, uint32_t pc)
{
	const struct bpf_insn *insn = &f->func->insns[pc];

	return pc + 1 + (uint32_t)(insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off);
}

struct jit_func *
jit_find_func(const struct jit *jit, const struct func *func)
{
	struct jit_func *f = jit->funcs;

	while (f && f->func != func)
		f = f->next;
	return f;
}

struct jit_func *
jit_callee(struct jit *jit, struct jit_func *f, uint32_t pc)
{
	return jit_find_func(jit, jit->vm->object->funcs[jit_reloc(f, pc)->index]);
}

/* Where the tables of functions are in memory; in the first pass, as far away as can be. */
uint64_t
jit_starts(const struct gen *g)
{
	return g->jit->first_pass ? UINT64_MAX >> 1 : g->jit->address;
}

uint64_t
jit_callbacks(const struct gen *g)
{
	return jit_starts(g) + g->jit->n_functions * sizeof(uint64_t);
}

uint64_t
jit_call_back(struct vm_run *run, uint64_t function, uint64_t frame, const uint64_t args[VM_CALLBACK_ARGS])
{
	if (!run_may_call_back(run))
		return 1; /* ends the helper's loop */
	return ((jit_callback *)(uintptr_t)run->functions[(uint32_t)function])(run, frame + VM_STACK_SIZE, args[0], args[1], args[2], args[3]);
}

uint64_t
jit_wide(struct jit *jit, struct jit_func *f, uint32_t pc)
{
	const struct bpf_insn *insn = &f->func->insns[pc];
	const struct reloc *reloc = jit_reloc(f, pc);
	size_t len;

	if (!reloc)
		return (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	if (reloc->kind == RELOC_TABLE)
		return (uintptr_t)&jit->vm->tables[reloc->index];
	if (reloc->kind == RELOC_FUNC_ADDR)
		return func_handle(reloc->index);
	return (uintptr_t)array_memory(&jit->vm->tables[reloc->index], &len) + reloc->addend;
}

bool
jit_keeps_run(const struct gen *g)
{
	return g->is_entry && (g->jit->uses_run || g->jit->first_pass);
}

unsigned
jit_saved(const struct gen *g, uint8_t saved[JIT_REGS])
{
	unsigned n = 0;

	for (uint8_t r = 6; r <= 9; r++)
		if (g->f->writes >> r & 1)
			saved[n++] = r;
	if (g->is_entry && g->f->uses_stack)
		saved[n++] = 10;
	if (jit_keeps_run(g))
		saved[n++] = JIT_RUN_REG;
	return n;
}

bool
jit_is_charged(const struct gen *g, uint32_t pc)
{
	return g->has_budget && insn_jumps_back(&g->f->func->insns[pc]);
}

/* ---- constants that are not to be seen ---------------------------------------------------------------------- */

bool
jit_hides_constant(const struct jit *jit, const struct bpf_insn *insn)
{
	if (jit->vm->constants == VM_CONSTANTS_PLAIN)
		return false;
	switch ((enum insn_shape)insn_info(insn)->shape) {
	case SHAPE_ALU:
	case SHAPE_COND:
		return BPF_SRC(insn->code) == BPF_K;
	case SHAPE_STORE:
		return BPF_CLASS(insn->code) == BPF_ST;
	case SHAPE_UNARY:
	case SHAPE_LD64:
	case SHAPE_LOAD:
	case SHAPE_ATOMIC:
	case SHAPE_JUMP:
	case SHAPE_CALL:
	case SHAPE_EXIT:
	case SHAPE_PACKET:
		break;
	}
	return false;
}

struct bpf_insn
jit_with_register(const struct bpf_insn *insn)
{
	struct bpf_insn with = *insn;

	with.code = BPF_CLASS(insn->code) == BPF_ST ? (insn->code & ~BPF_ST) | BPF_STX : insn->code | BPF_X;
	with.src_reg = JIT_BLIND_REG;
	with.imm = 0;
	return with;
}

uint64_t
jit_random(struct jit *jit)
{
	if (!jit->random && getrandom(&jit->random, sizeof(jit->random), GRND_NONBLOCK) != sizeof(jit->random))
		jit->random = (uintptr_t)jit ^ (uint64_t)clock();
	/* xorshift64 (Marsaglia 2003), as good for this as any: a key is looked at once. */
	jit->random ^= jit->random << 13;
	jit->random ^= jit->random >> 7;
	jit->random ^= jit->random << 17;
	return jit->random;
}

/* ---- a function --------------------------------------------------------------------------------------------- */

/* Helpers that only fetch something. */
static bool
emit_fetch(struct gen *g, int32_t helper)
{
	static const struct jit_fetch fetches[] = {
		{ BPF_FUNC_ktime_get_ns, true, false, offsetof(struct vm_env, ktime_ns) },
		{ BPF_FUNC_get_current_pid_tgid, true, true, offsetof(struct vm_env, pid) }, /* pid is the upper half */
		{ BPF_FUNC_get_current_uid_gid, true, false, offsetof(struct vm_env, uid) },
		{ BPF_FUNC_get_smp_processor_id, false, false, offsetof(struct vm_run, processor) },
	};

	_Static_assert(offsetof(struct vm_env, tid) == offsetof(struct vm_env, pid) + 4, "fetched as one");
	_Static_assert(offsetof(struct vm_env, gid) == offsetof(struct vm_env, uid) + 4, "fetched as one");
	for (size_t i = 0; i < ARRAY_SIZE(fetches); i++) {
		if (fetches[i].helper != helper)
			continue;
		g->jit->uses_run = true;
		backend->fetch(g, &fetches[i]);
		return true;
	}
	return false;
}

static void
emit_wide(struct gen *g, uint32_t pc)
{
	unsigned dst = g->f->func->insns[pc].dst_reg;
	struct bpf_insn copy = { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = dst & 15, .src_reg = g->f->insns[pc].pin & 15 };

	if (g->f->insns[pc].pin)
		backend->alu(g, &copy);
	else if (func_reloc(g->f->func, pc))
		backend->address(g, dst, jit_wide(g->jit, g->f, pc));
	else if (g->hides)
		backend->hidden(g, dst, jit_wide(g->jit, g->f, pc));
	else
		backend->number(g, dst, jit_wide(g->jit, g->f, pc));
}

static uint32_t
emit_call(struct gen *g, uint32_t pc, const struct insn_info *info)
{
	if (info->id == INSN_CALLX) {
		g->f->calls = g->jit->uses_run = true;
		backend->callx(g, g->f->func->insns[pc].dst_reg);
		return 1;
	}
	if (info->id != INSN_CALL) {
		g->f->calls = true;
		backend->call_local(g, jit_callee(g->jit, g->f, pc));
		return 1;
	}
	if (insn_is_tail_call(&g->f->func->insns[pc])) {
		g->jit->uses_run = true;
		g->f->calls = true;
		backend->tail_call(g);
		return 1;
	}
	return emit_fetch(g, g->f->func->insns[pc].imm) ? 1 : backend->call(g, pc);
}

void
jit_emit_ahead(struct gen *g, uint32_t pc)
{
	const struct bpf_insn *move = &g->f->func->insns[jit_target(g->f, pc)];

	for (uint32_t n = g->f->insns[pc].ahead; n; n--, move++)
		backend->alu(g, move);
}

/* Emits `insn`, which stands at pc, perhaps with those behind it. Returns how many words of eBPF these were. */
static uint32_t
emit_one(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
	case SHAPE_UNARY:
		backend->alu(g, insn);
		break;
	case SHAPE_LD64:
		emit_wide(g, pc);
		return 2;
	case SHAPE_LOAD:
		backend->load(g, insn);
		break;
	case SHAPE_STORE:
		backend->store(g, insn);
		break;
	case SHAPE_ATOMIC:
		backend->atomic(g, insn);
		break;
	case SHAPE_JUMP:
		if (g->f->insns[pc].to != pc + 1)
			backend->jump(g, pc);
		break;
	case SHAPE_COND:
		jit_emit_ahead(g, pc);
		if (g->f->insns[pc].to != pc + 1 && g->f->insns[pc].always)
			backend->jump(g, pc);
		else if (g->f->insns[pc].to != pc + 1)
			backend->cond(g, pc, insn);
		break;
	case SHAPE_CALL:
		return emit_call(g, pc, info);
	case SHAPE_EXIT:
		backend->exit(g);
		break;
	case SHAPE_PACKET:
		assert(!"packet access was verified");
	}
	return 1;
}

/* Emits what begins at pc. Returns how many words of eBPF that is. */
static uint32_t
emit_insn(struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];
	struct bpf_insn with;
	struct jit_op op;

	if (g->f->insns[pc].unseen)
		return 1 + (uint32_t)insn_is_wide(insn);
	if (jit_is_charged(g, pc))
		backend->charge(g);
	if (!g->hides && jit_fuse(g->f, pc, &op) && !(op.jump && jit_is_charged(g, op.jump))) {
		backend->op(g, pc, &op);
		return op.n;
	}
	if (!jit_hides_constant(g->jit, insn))
		return emit_one(g, pc, insn);
	backend->hidden_imm(g, insn->imm);
	with = jit_with_register(insn);
	return emit_one(g, pc, &with);
}

/* The table whose handle the register that the instruction at pc, just looked at, wrote holds for certain, or NULL. */
static const struct vm_table *
known_table(const struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];
	const struct insn_info *info = insn_info(insn);
	const struct reloc *reloc;

	if (info->id == INSN_MOV64_X)
		return g->known[insn->src_reg];
	if (info->shape != SHAPE_LD64 || !g->f->next_reloc)
		return NULL;
	reloc = &g->f->func->relocs[g->f->next_reloc - 1];
	return reloc->pc == pc && reloc->kind == RELOC_TABLE ? &g->jit->vm->tables[reloc->index] : NULL;
}

/* What registers are known to hold after the instruction at pc. */
static void
learn(struct gen *g, uint32_t pc)
{
	const struct vm_table *table = known_table(g, pc);
	uint32_t written = jit_writes(&g->f->func->insns[pc], insn_info(&g->f->func->insns[pc]));

	for (unsigned r = 0; r < ARRAY_SIZE(g->known); r++)
		if (written >> r & 1)
			g->known[r] = table;
}

/* Fills in the displacements of jumps forward. */
static void
fix_jumps(struct gen *g)
{
	for (uint32_t pc = 0; pc < g->f->func->n_insns; pc++)
		if (g->f->insns[pc].fix)
			backend->fix(g, &g->f->insns[pc], g->f->insns[g->f->insns[pc].to].off);
}

/* Appends the code of a function. */
static void
emit_func(struct jit *jit, struct jit_func *f)
{
	struct gen g = {
		.jit = jit, .f = f, .b = &jit->buf, .is_entry = f == jit->entry,
		.hides = jit->vm->constants != VM_CONSTANTS_PLAIN, .has_budget = jit->vm->budget,
	};

	f->next_reloc = 0;
	f->start = jit->buf.n;
	backend->prologue(&g);
	for (unsigned i = 0; i < f->n_pins; i++)
		backend->address(&g, f->pins[i].reg, f->pins[i].address);
	for (uint32_t pc = 0; pc < f->func->n_insns;) {
		uint32_t n, width;

		if (f->insns[pc].target)
			memset(g.known, 0, sizeof(g.known));
		if (f->insns[pc].loop_end && backend->align)
			backend->align(&g, pc);
		f->insns[pc].off = jit->buf.n;
		for (n = emit_insn(&g, pc); n; n -= width, pc += width) {
			width = 1 + insn_is_wide(&f->func->insns[pc]);
			learn(&g, pc);
		}
	}
	f->insns[f->func->n_insns].off = jit->buf.n;
	if (f->is_addressed) {
		f->callback = jit->buf.n;
		backend->callback(&g);
	}
	if (jit->buf.out)
		fix_jumps(&g);
}

/* ---- memory for code --------------------------------------------------------------------------------------- */

static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Reserves room for `len` bytes of code and its guards. Near our own code, where there is room, so that calls from one to the other
 * are short.
 */
static int
map_code(struct jit_code *code, size_t len)
{
	size_t page = page_size();
	uintptr_t ours = (uintptr_t)helper_find & ~(page - 1);

	code->map_len = round_up(len, page) + 2 * page;
	/* A wish only: if something is there, the system finds another place. */
	code->map = mmap((void *)(ours - ((uintptr_t)64 << 20) - code->map_len), code->map_len, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (code->map == MAP_FAILED) {
		code->map = NULL;
		return -errno;
	}
	code->text = (uint8_t *)code->map + page;
	return mprotect(code->text, code->map_len - 2 * page, PROT_READ | PROT_WRITE) ? -errno : 0;
}

/* From writable to executable, once. */
static int
seal_code(struct jit_code *code)
{
	return mprotect(code->text, code->map_len - 2 * page_size(), PROT_READ | PROT_EXEC) ? -errno : 0;
}

void
jit_free(struct jit_code *code)
{
	if (code && code->map)
		munmap(code->map, code->map_len);
	free(code);
}

/* ---- the two passes ----------------------------------------------------------------------------------------- */

static void
pass(struct jit *jit)
{
	jit->buf.n = (uint32_t)(2 * jit->n_functions * sizeof(uint64_t));
	for (struct jit_func *f = jit->funcs; f; f = f->next)
		emit_func(jit, f);
}

/* Fills in the tables of functions. */
static void
write_functions(const struct jit *jit, uint8_t *text)
{
	uint64_t *starts = (uint64_t *)(uintptr_t)text, *callbacks = starts + jit->n_functions;

	for (uint32_t i = 0; i < jit->n_functions; i++) {
		const struct jit_func *f = jit_find_func(jit, jit->vm->object->funcs[i]);

		starts[i] = f && f->is_addressed ? jit->address + f->start : 0;
		callbacks[i] = f && f->is_addressed ? jit->address + f->callback : 0;
	}
}

static void
print_code(const struct jit_code *code, const struct func *entry)
{
	fprintf(stderr, "jit: %s, %u bytes:", entry->name ? entry->name : "?", (unsigned)code->len);
	for (uint32_t i = 0; i < code->len; i++)
		fprintf(stderr, "%s%02x", i % 32 ? " " : "\n", code->text[i]);
	fputc('\n', stderr);
}

static int
generate(struct jit *jit, struct jit_code *code)
{
	size_t len;
	int err;

	jit->first_pass = true;
	pass(jit);
	jit->first_pass = false;
	err = map_code(code, jit->buf.n);
	if (err)
		return err;
	len = code->map_len - 2 * page_size();
	for (size_t at = 0; at < len; at += sizeof(backend->trap))
		memcpy(code->text + at, &backend->trap, sizeof(backend->trap));
	jit->buf = (struct jit_buf){ .out = code->text, .cap = (uint32_t)len };
	jit->address = (uintptr_t)code->text;
	pass(jit);
	write_functions(jit, code->text);
	code->len = jit->buf.n;
	code->uses_run = jit->uses_run;
	code->entry = (jit_entry *)(uintptr_t)(code->text + jit->entry->start);
	__builtin___clear_cache((char *)code->text, (char *)code->text + len);
	return seal_code(code);
}

int
jit_compile(struct vm *vm, const struct func *entry, const struct vm_signature *signature, const struct vm_facts *facts, struct jit_code **result,
	    struct text *why)
{
	struct jit jit = { .vm = vm, .signature = signature, .facts = facts };
	struct jit_code *code = NULL;
	int err = -EOPNOTSUPP;

	if (backend) {
		jit.memory_operands = backend->memory_operands;
		code = mem_alloc(sizeof(*code));
		err = code && jit_add_program(&jit, entry) ? generate(&jit, code) : -ENOMEM;
	}
	for (struct jit_func *f = jit.funcs, *next; f; f = next) {
		next = f->next;
		jit_free_func(f);
	}
	if (!err) {
		if (debug_on(DEBUG_JIT))
			print_code(code, entry);
		*result = code;
		return 0;
	}
	jit_free(code);
	text_printf(why, "function \"%s\": no machine code: ", entry->name ? entry->name : "?");
	if (err == -EOPNOTSUPP)
		text_puts(why, "this engine compiles for x86-64 and AArch64 only; let the interpreter run it");
	else if (err == -ENOMEM)
		text_puts(why, "out of memory");
	else
		text_printf(why, "the system gives us no executable memory (%s); let the interpreter run it", strerror(-err));
	return err;
}

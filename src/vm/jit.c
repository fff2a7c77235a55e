/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The compiler to machine code, as far as it is the same for all machines: which functions belong to a program, the two passes,
 * and memory for code. What an instruction becomes is for the backend to say (jit_x86.c).
 *
 * Relies on the verifier: only what it accepted comes here. Promises that no page is ever writable and executable, not even for a
 * moment: code is written to fresh pages which then become readable and executable for good. A page that cannot be accessed lies
 * before and behind them, so that neither a wild jump nor a wild write beside one program gets into another.
 *
 *      guard     code, whole pages                          guard
 *     +---------+------------------------------------------+---------+
 *     | none    | callee | callee | entry | traps          | none    |
 *     +---------+------------------------------------------+---------+
 */
#include <errno.h>
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

static struct jit_func *
find_func(struct jit *jit, const struct func *func)
{
	struct jit_func *f = jit->funcs;

	while (f && f->func != func)
		f = f->next;
	return f;
}

struct jit_func *
jit_callee(struct jit *jit, struct jit_func *f, uint32_t pc)
{
	return find_func(jit, jit->vm->object->funcs[jit_reloc(f, pc)->index]);
}

struct jit_func *
jit_addressed(struct jit *jit, struct jit_func *f, uint32_t pc)
{
	const struct func *func = func_addressed(jit->vm->object, f->func, pc);

	return func ? find_func(jit, func) : NULL;
}

uint64_t
jit_call_back(struct vm_run *run, uint64_t function, uint64_t frame, const uint64_t args[VM_CALLBACK_ARGS])
{
	if (!run_may_call_back(run))
		return 1; /* whoever loops stops */
	return ((jit_callback *)(uintptr_t)function)(run, frame + VM_STACK_SIZE, args[0], args[1], args[2], args[3]);
}

const struct vm_table *
jit_known_table(const struct jit *jit, const struct jit_func *f, uint32_t pc, const struct vm_table *const known[11])
{
	const struct bpf_insn *insn = &f->func->insns[pc];
	const struct insn_info *info = insn_info(insn);
	const struct reloc *reloc;

	if (info->id == INSN_MOV64_X)
		return known[insn->src_reg];
	if (info->shape != SHAPE_LD64 || !f->next_reloc)
		return NULL;
	reloc = &f->func->relocs[f->next_reloc - 1];
	return reloc->pc == pc && reloc->kind == RELOC_TABLE ? &jit->vm->tables[reloc->index] : NULL;
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
	return (uintptr_t)array_memory(&jit->vm->tables[reloc->index], &len) + reloc->addend;
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

/* ---- the functions of a program ---------------------------------------------------------------------------- */

static bool
add_func(struct jit *jit, const struct func *func);

/* What the whole function's code has to know beforehand. Callees are added first. False: out of memory. */
static bool
look_at(struct jit *jit, struct jit_func *f)
{
	for (uint32_t pc = 0; pc < f->func->n_insns; pc++) {
		const struct bpf_insn *insn = &f->func->insns[pc];
		const struct insn_info *info = insn_info(insn);
		const struct func *callee;

		f->writes |= (uint16_t)jit_writes(insn, info);
		f->insns[pc].reads = jit_reads(insn, info);
		if (insn->dst_reg == 10 || insn->src_reg == 10)
			f->uses_stack = true;
		if (info->shape == SHAPE_JUMP || info->shape == SHAPE_COND)
			f->insns[jit_target(f, pc)].target = true;
		if (info->id == INSN_CALL_LOCAL) {
			callee = jit->vm->object->funcs[jit_reloc(f, pc)->index];
			if (!add_func(jit, callee))
				return false;
			f->uses_stack |= find_func(jit, callee)->uses_stack;
		}
		callee = func_addressed(jit->vm->object, f->func, pc);
		if (callee) {
			if (!add_func(jit, callee))
				return false;
			find_func(jit, callee)->is_callback = true;
			f->uses_stack = true; /* the callee's frame lies above ours */
		}
		pc += insn_is_wide(insn);
	}
	jit_find_live(f);
	return true;
}

static void
free_func(struct jit_func *f)
{
	if (f)
		free(f->insns);
	free(f);
}

/* Appends a function behind those that it calls, each once. The verifier has seen that no function calls itself. */
static bool
add_func(struct jit *jit, const struct func *func)
{
	struct jit_func *f;

	if (find_func(jit, func))
		return true;
	f = mem_alloc(sizeof(*f));
	if (f) {
		f->func = func;
		f->insns = mem_alloc(((size_t)func->n_insns + 1) * sizeof(*f->insns));
	}
	if (!f || !f->insns || !look_at(jit, f)) {
		free_func(f);
		return false;
	}
	if (jit->last)
		jit->last->next = f;
	else
		jit->funcs = f;
	jit->last = f;
	return true;
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
	jit->buf.n = 0;
	for (struct jit_func *f = jit->funcs; f; f = f->next) {
		f->next_reloc = 0;
		f->start = jit->buf.n;
		backend->func(jit, f);
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
	code->len = jit->buf.n;
	code->uses_run = jit->uses_run;
	code->entry = (jit_entry *)(uintptr_t)(code->text + jit->last->start);
	__builtin___clear_cache((char *)code->text, (char *)code->text + len);
	return seal_code(code);
}

int
jit_compile(struct vm *vm, const struct func *entry, const struct vm_signature *signature, struct jit_code **result, struct text *why)
{
	struct jit jit = { .vm = vm, .signature = signature };
	struct jit_code *code = NULL;
	int err = -EOPNOTSUPP;

	if (backend) {
		code = mem_alloc(sizeof(*code));
		err = code && add_func(&jit, entry) ? generate(&jit, code) : -ENOMEM;
	}
	for (struct jit_func *f = jit.funcs, *next; f; f = next) {
		next = f->next;
		free_func(f);
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

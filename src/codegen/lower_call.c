/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Calls in the probe half: built-ins, and functions of the script, lowered in place of each call (infer_call.c made a typed copy for each).
 */
#include "codegen/lower_int.h"

static struct val
lower_inlined(struct lowering *l, struct node *node)
{
	struct inlined *inlined = node->inlined;
	struct inlining *outer = l->inlining;
	struct type *type = type_find(inlined->result);
	struct inlining inlining = { .on_return = ir_label(&l->ir), .inlined = inlined };
	struct loop *outer_loop = l->loop;
	struct node *arg = node->b;
	struct val nil = val_nil();
	struct known_mark known;
	uint32_t i = 0;

	inlining.result = *local_new(l, type, inlined->result_nullable, inlined->result_captured ? LOCAL_CAPTURED : LOCAL_REGISTERS);
	for (; arg; arg = arg->next, i++) {
		struct val val;

		if (arg->type && type_find(arg->type)->kind == TYPE_TABLE)
			continue;
		val = lower_exp(l, arg);
		if (i >= inlined->n_params)
			continue;
		variable_declare(l, inlined->params[i]);
		variable_assign(l, inlined->params[i], &val);
	}
	for (; i < inlined->n_params; i++) {
		variable_declare(l, inlined->params[i]);
		variable_assign(l, inlined->params[i], &nil);
	}
	l->inlining = &inlining;
	l->loop = NULL;
	known = known_mark(l);
	lower_stat(l, inlined->body);
	known_release(l, known);
	if (inlined->result_nullable || type->kind != TYPE_STR)
		local_assign(l, &inlining.result, type, &nil);
	ir_bind(&l->ir, inlining.on_return);
	l->loop = outer_loop;
	l->inlining = outer;
	return local_value(l, &inlining.result, type);
}

void
lower_return(struct lowering *l, struct node *node)
{
	struct val val;

	if (!l->inlining) {
		for (struct node *value = node->a; value; value = value->next)
			lower_exp(l, value);
		ir_jump(&l->ir, l->end);
		return;
	}
	val = node->a ? lower_exp(l, node->a) : val_nil();
	local_assign(l, &l->inlining->result, type_find(l->inlining->inlined->result), &val);
	ir_jump(&l->ir, l->inlining->on_return);
}

static struct val
lower_string_at(struct lowering *l, struct node *node, int32_t helper)
{
	return string_read(l, helper, lower_number(l, node->b), STR_SIZE_MAX);
}

static struct val
lower_user_int(struct lowering *l, struct node *node)
{
	int size = ir_const(&l->ir, node->b->next ? node->b->next->number : 8);

	return val_number(TYPE_INT, number_read(l, BPF_FUNC_probe_read_user, lower_number(l, node->b), size));
}

static struct val
lower_len(struct lowering *l, struct node *node)
{
	struct val val;

	if (type_find(node->b->type)->kind == TYPE_TABLE)
		return lower_table_len(l, node->b);
	val = lower_exp(l, node->b);
	val_require(l, &val, COUNTER_NIL_VALUE);
	return val_number(TYPE_INT, string_len(l, &val));
}

static struct val
lower_xor(struct lowering *l, struct node *node)
{
	struct val a = val_number(TYPE_INT, lower_number(l, node->b)), b = val_number(TYPE_INT, lower_number(l, node->b->next));

	return lower_arithmetic(l, TOKEN_TILDE, &a, &b);
}

/* The wall clock is the monotonic one plus an offset that user space stores when the run starts. */
static struct val
lower_wall_clock(struct lowering *l, int64_t unit)
{
	struct object *object = l->object;
	struct ir *ir = &l->ir;
	int address = ir_pointer(ir), now;

	if (object->wall_offset_off == UINT32_MAX)
		object->wall_offset_off = globals_alloc(object, 8);
	now = ir_call(ir, BPF_FUNC_ktime_get_ns, NULL, 0);
	ir_add(ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = object->wall_offset_off });
	now = ir_alu(ir, BPF_ADD, now, ir_load(ir, BPF_DW, address, 0));
	return val_number(TYPE_INT, unit == 1 ? now : ir_alu_imm(ir, BPF_DIV, now, unit));
}

struct val
lower_call(struct lowering *l, struct node *node)
{
	if (node->inlined)
		return lower_inlined(l, node);
	if (!node->builtin)
		return val_nil();
	switch ((int)node->builtin->id) {
	case BUILTIN_PRINT:
		lower_output(l, SITE_PRINT, node->b);
		break;
	case BUILTIN_PRINTF:
		lower_output(l, SITE_PRINTF, node->b);
		break;
	case BUILTIN_EXIT:
		lower_exit(l);
		break;
	case BUILTIN_STACK:
	case BUILTIN_USTACK:
		return lower_stack(l, node);
	case BUILTIN_KERNEL_STRING:
		return lower_string_at(l, node, BPF_FUNC_probe_read_kernel_str);
	case BUILTIN_USER_INT:
		return lower_user_int(l, node);
	case BUILTIN_USER_STRING:
		return lower_string_at(l, node, BPF_FUNC_probe_read_user_str);
	case BUILTIN_LEN:
		return lower_len(l, node);
	case BUILTIN_DELETE:
		lower_empty(l, node->b);
		break;
	case BUILTIN_IPOF:
		return val_number(TYPE_KSYM, lower_number(l, node->b));
	case BUILTIN_CURR_TASKINFO:
		return lower_taskinfo(l, node);
	case BUILTIN_NET_FORMAT_IP_ADDR:
		return lower_ip_address(l, node);
	case BUILTIN_XOR:
		return lower_xor(l, node);
	case BUILTIN_CAST:
		return val_number(TYPE_INT, lower_number(l, node->b->next));
	case BUILTIN_CURTASK:
		return val_number(TYPE_INT, ir_call(&l->ir, BPF_FUNC_get_current_task, NULL, 0));
	case BUILTIN_STRINGOF:
		return lower_stringof(l, node);
	case BUILTIN_STRING_FORMAT:
		return lower_format(l, node);
	case BUILTIN_STRING_SUB:
		return lower_sub(l, node);
	case BUILTIN_STRING_UPPER:
		return lower_case(l, node, 'a');
	case BUILTIN_STRING_LOWER:
		return lower_case(l, node, 'A');
	case BUILTIN_STRING_FIND:
		return lower_find(l, node);
	case BUILTIN_GETTIMEOFDAY_NS:
		return lower_wall_clock(l, 1);
	case BUILTIN_GETTIMEOFDAY_US:
		return lower_wall_clock(l, 1000);
	case BUILTIN_GETTIMEOFDAY_MS:
		return lower_wall_clock(l, 1000000);
	case BUILTIN_GETTIMEOFDAY_S:
		return lower_wall_clock(l, 1000000000);
	default: /* halves.c lets no other through */
		break;
	}
	return val_nil();
}

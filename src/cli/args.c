/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * args: the command line, read by one table that is also the help.
 *
 *     ktap [options] FILE [args] [-- cmd args]
 *     ktap [options] SUBCOMMAND [options] ...
 *
 * Options stand before the file; what follows it belongs to the script, up to `--`, which begins the
 * command. As in ktap 0.4, the first argument behind the file that is `--` does so. Subcommands stand in a
 * table (main.c), which says whether such a file follows or words and options in any order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "source/recording.h"

const char *const engine_names[] = {
	[ENGINE_AUTO] = "auto", [ENGINE_KERNEL] = "kernel", [ENGINE_USER] = "user", [ENGINE_FTRACE] = "ftrace"
};

const char *const exec_names[] = {
	[VM_EXEC_AUTO] = "auto", [VM_EXEC_INTERP] = "interp", [VM_EXEC_JIT] = "jit"
};

/* ---- numbers ------------------------------------------------------------ */

bool
parse_number(const char *word, const char *units, uint64_t min, uint64_t max, uint64_t *number)
{
	const char *unit;
	unsigned shift;
	char *end;

	errno = 0;
	*number = strtoull(word, &end, 10);
	if (*word < '0' || *word > '9' || errno)
		return false;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		if (*number > max >> shift)
			return false;
		*number <<= shift;
		end++;
	}
	return !*end && *number >= min && *number <= max;
}

/* ---- one function an option --------------------------------------------- */

static const char *
take_text(struct args *args, const char *value)
{
	args->text = value;
	return NULL;
}

static const char *
take_pid(struct args *args, const char *value)
{
	uint64_t pid;

	if (!parse_number(value, "", 1, INT32_MAX, &pid))
		return "a process id is a positive number";
	args->pid = (pid_t)pid;
	return NULL;
}

static const char *
take_cpu(struct args *args, const char *value)
{
	uint64_t cpu;

	if (!parse_number(value, "", 0, (uint64_t)sysconf(_SC_NPROCESSORS_CONF) - 1, &cpu))
		return "a CPU is a number from 0 to one less than the number of CPUs";
	args->cpu = (uint32_t)cpu;
	args->on_one_cpu = true;
	return NULL;
}

static const char *
take_cgroup(struct args *args, const char *value)
{
	args->cgroup = value;
	return NULL;
}

static const char *
take_output(struct args *args, const char *value)
{
	args->output = value;
	return NULL;
}

static const char *const unwind_names[] = { [UNWIND_FP] = "fp", [UNWIND_DWARF] = "dwarf" };

static const char *
unwind_word(size_t i)
{
	return i < ARRAY_SIZE(unwind_names) ? unwind_names[i] : NULL;
}

/* Bytes of a stack that are copied, as they stand behind "dwarf,". */
static const char *
take_stack_bytes(struct args *args, const char *value)
{
	uint64_t size;

	if (!parse_number(value, "k", STACK_BYTES_MIN, STACK_BYTES_MAX, &size) || size % 4096)
		return "the copy of a stack has 8k to 64k bytes, a multiple of 4k";
	args->stack_bytes = (uint32_t)size;
	return NULL;
}

static const char *
take_unwind(struct args *args, const char *value)
{
	size_t len = strcspn(value, ",");

	for (size_t i = 0; i < ARRAY_SIZE(unwind_names); i++)
		if (strlen(unwind_names[i]) == len && strncmp(value, unwind_names[i], len) == 0 && (!value[len] || i == UNWIND_DWARF)) {
			args->unwind = (enum unwind)i;
			return value[len] ? take_stack_bytes(args, value + len + 1) : NULL;
		}
	return "user stacks are taken by fp, dwarf or dwarf,BYTES";
}

static const char *
take_losses(struct args *args, const char *value)
{
	args->losses = value;
	return NULL;
}

/* A power of two, as the kernel wants it. */
static const char *
take_buffer(struct args *args, const char *value)
{
	uint64_t size;

	if (!parse_number(value, "kM", 4096, 1u << 30, &size) || (size & (size - 1)))
		return "a size is a power of two from 4k to 1024M";
	args->buffer = (uint32_t)size;
	return NULL;
}

static const char *
take_from(struct args *args, const char *value)
{
	args->from = value;
	return NULL;
}

static const char *
take_events(struct args *args, const char *value)
{
	args->events = value;
	return NULL;
}

static const char *
take_jobs(struct args *args, const char *value)
{
	uint64_t jobs;

	if (!parse_number(value, "", 1, REPLAY_JOBS_MAX, &jobs))
		return "a number of threads is from 1 to 256";
	args->jobs = (uint32_t)jobs;
	return NULL;
}

static const char *
take_debug(struct args *args, const char *value)
{
	const char *bad;

	if (strcmp(value, "help") == 0) {
		debug_list(stdout);
		args->done = true;
		return NULL;
	}
	return debug_enable(value, &bad) < 0 ? "unknown stage ('ktap -d help' lists them)" : NULL;
}

static const char *
take_engine(struct args *args, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(engine_names); i++)
		if (strcmp(value, engine_names[i]) == 0) {
			args->engine = (enum engine)i;
			return NULL;
		}
	return "an engine is auto, kernel, user or ftrace";
}

static const char *
take_exec(struct args *args, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(exec_names); i++)
		if (strcmp(value, exec_names[i]) == 0) {
			args->exec = (enum vm_exec)i;
			return NULL;
		}
	return "programs are executed by jit, interp or auto";
}

static const char *
take_version(struct args *args, const char *value)
{
	puts("ktap " KTAP_VERSION);
	args->done = true;
	return NULL;
}

static const char *
take_help(struct args *args, const char *value);

static const char *
take_btf(struct args *args, const char *value)
{
	args->btf = value;
	return NULL;
}

static const char *
take_pin(struct args *args, const char *value)
{
	args->pin = value;
	return NULL;
}

static const char *
engine_word(size_t i)
{
	return i < ARRAY_SIZE(engine_names) ? engine_names[i] : NULL;
}

static const char *
exec_word(size_t i)
{
	return i < ARRAY_SIZE(exec_names) ? exec_names[i] : NULL;
}

static const char *
stage_word(size_t i)
{
	return i < N_DEBUG_STAGES ? debug_name((enum debug_stage)i) : NULL;
}

const struct option_row option_rows[] = {
	{ "-e", "TEXT", take_text, "run TEXT instead of a file", .only = "FILE run compile dump check fmt record" },
	{ "-p", "PID", take_pid, "trace this process, its threads and what it starts from now on", .only = "FILE run record" },
	{ "-C", "CPU", take_cpu, "trace only what happens on this CPU", .only = "FILE run",
	  .no_object = "its programs run on every CPU and choose themselves (bpf_get_smp_processor_id)" },
	{ "--cgroup", "PATH", take_cgroup, "trace only processes of this control group (v2) and those below it", .only = "FILE run",
	  .no_object = "its programs see every process and choose themselves (bpf_current_task_under_cgroup)" },
	{ "-o", "FILE", take_output, "write the script's output (of compile and record: what they make) to FILE", .only = "FILE run compile record" },
	{ "--buffer", "SIZE", take_buffer, "size of the buffer for lines that probes have sent and ktap has not yet read: 4k to 1024M; 4M", .only = "FILE run",
	  .no_object = "the size of its buffers stands in its source (max_entries)" },
	{ "--unwind", "HOW", take_unwind, "take user stacks by fp (frame pointers) or dwarf[,BYTES] (call frame information, on a copy of BYTES of the stack; 16k)",
	  unwind_word, .only = "FILE run", .no_object = "its programs take stacks themselves (bpf_get_stack)" },
	{ "--mangled", .flag = offsetof(struct args, mangled), .doc = "show functions of C++ and Rust in user stacks by the names that compilers give them",
	  .only = "FILE run", .no_object = "it prints no names" },
	{ "--losses", "FILE", take_losses, "write what was delivered and lost to FILE, as JSON", .only = "FILE run",
	  .no_object = "its programs keep no account" },
	{ "--from", "FILE", take_from, "run on the recording FILE (trace.dat, perf.data, text) instead of live events", .only = "FILE run list record",
	  .no_object = "it runs on what happens live" },
	{ "--events", "FILE", take_events, "compile for the events of a program that hosts scripts, which it wrote into FILE (libktap-script)",
	  .only = "compile dump check" },
	{ "--jobs", "N", take_jobs, "let up to N threads work on a recording; without it as many as there are CPUs", .only = "FILE run" },
	{ "-q", .flag = offsetof(struct args, quiet), .doc = "no banner; losses are reported all the same" },
	{ "--unsafe", .flag = offsetof(struct args, unsafe), .doc = "let the script start programs: system()", .only = "FILE run",
	  .no_object = "it has no script" },
	{ "--engine", "NAME", take_engine, "kernel, user, ftrace (the user engine on what ftrace records), or auto (the kernel where it is permitted)", engine_word,
	  .only = "FILE run compile dump check list record" },
	{ "--exec", "NAME", take_exec, "the user engine's programs: jit, interp, or auto (jit where it is permitted)", exec_word,
	  .only = "FILE run" },
	{ "-d", "STAGES", take_debug, "show stages of the work on stderr; -d help lists them", stage_word },
	{ "--btf", "FILE", take_btf, "fit C objects to the kernel types in FILE, not to those of this kernel", .only = "run check" },
	{ "--callx", .flag = offsetof(struct args, callx), .doc = "let programs of C objects call by a register, as Linux does from 7.4 on (user engine)",
	  .only = "run check" },
	{ "--json", .flag = offsetof(struct args, json), .doc = "say what is wrong (table: what there is) as JSON, on standard output", .only = "check table" },
	{ "--pin", "NAME", take_pin, "keep the tables in bpffs as NAME, for 'ktap table' and others (kernel engine)", .only = "FILE run",
	  .no_object = "its source says which of its tables are kept (LIBBPF_PIN_BY_NAME)" },
	{ "--text", .flag = offsetof(struct args, as_text), .doc = "write the recording as text", .only = "record" },
	{ "-w", .flag = offsetof(struct args, write), .doc = "write the formatted scripts back", .only = "fmt" },
	{ "-l", .flag = offsetof(struct args, list), .doc = "only list the scripts whose layout differs; status 1 if there are any", .only = "fmt" },
	{ "-V", NULL, take_version, "show the version" },
	{ "--version", NULL, take_version, "the same as -V" },
	{ "-h", NULL, take_help, "show the usage" },
	{ "--help", NULL, take_help, "the same as -h" },
	{ NULL },
};

const char usage_text[] =
	"Runs a script in the ktap tracing language. FILE is '-' for standard input. With a command, that command\n"
	"and its children are traced, and tracing ends when it does; the exit status is ktap's, not the command's.\n";

const char status_text[] =
	"0 fine, 1 the script is wrong or had run-time errors, 2 usage, 3 refused by the system.\n";

/* Is `word` one of those in `list`, which are separated by spaces? */
static bool
has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(list, word); at; at = strstr(at + len, word))
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0))
			return true;
	return false;
}

bool
option_needs_subcommand(const struct option_row *row)
{
	return row->only && !has_word(row->only, "FILE");
}

static const char usage[] =
	"usage: ktap [options] FILE [script args] [-- command args]\n"
	"       ktap [options] -e TEXT [script args] [-- command args]\n"
	"       ktap SUBCOMMAND ...\n";

static const char *
take_help(struct args *args, const char *value)
{
	printf("%s\n%s\n", usage, usage_text);
	for (const struct option_row *row = option_rows; row->name; row++) {
		const char *only = option_needs_subcommand(row) ? row->only : NULL;

		printf("  %s%s%-*s %s%s%s%s\n", row->name, row->value && row->name[1] == '-' ? "=" : " ", 16 - (int)strlen(row->name),
		       row->value ? row->value : "", only ? "(" : "", only ? only : "", only ? ") " : "", row->doc);
	}
	fputs("\nSubcommands:\n", stdout);
	for (const struct subcommand *row = subcommands; row->name; row++)
		printf("  %s %-*s %s\n", row->name, 16 - (int)strlen(row->name), row->usage, row->doc);
	printf("\nExit status: %s", status_text);
	args->done = true;
	return NULL;
}

/* ---- reading ------------------------------------------------------------ */

/* `value` may be NULL. */
static enum exit_status
usage_error(const char *arg, const char *value, const char *what)
{
	fprintf(stderr, "ktap: %s%s%s: %s; 'ktap -h' shows the usage\n", arg, value ? " " : "",
		value ? value : "", what);
	return STATUS_USAGE;
}

/*
 * The row of an option as written, "-eTEXT" and "--engine=user" included. *value is what is attached to it,
 * or NULL.
 */
static const struct option_row *
option_find(const char *arg, const char **value)
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		size_t len = strlen(row->name);

		if (strncmp(arg, row->name, len) != 0)
			continue;
		*value = NULL;
		if (arg[len] == 0)
			return row;
		if (arg[1] == '-' ? arg[len] != '=' : !row->value)
			continue;
		*value = arg + len + (arg[1] == '-');
		return row;
	}
	return NULL;
}

/* What an option of ktap 0.4 became; NULL: it is none. */
static const char *
option_of_old(const char *arg)
{
	static const struct {
		const char *option, *now;
	} old[] = {
		{ "-le", "unknown option; 'ktap list' shows the events" },
		{ "-lf", "unknown option; 'ktap list probe:FILE:*' shows the functions of a file" },
		{ "-lm", "unknown option; 'ktap list sdt:FILE:*' shows the markers of a file" },
		{ "-b", "unknown option; '-d insn' shows the code" },
		{ "-s", "unknown option; ktap -e 'trace EVENT { print(argstr) }' shows events" },
		{ "-v", "unknown option; '-d events' and '-d time' tell what is done" },
		{ "-T", "unknown option; print(nsecs, argstr) shows the time" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		if (!strcmp(arg, old[i].option))
			return old[i].now;
	return NULL;
}

static enum exit_status
unknown_option(const char *arg)
{
	const char *nearest = NULL, *was = option_of_old(arg);
	char name[32], text[80] = "unknown option";
	unsigned best = 3, distance;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="), arg);
	for (const struct option_row *row = option_rows; row->name && strlen(name) > 3; row++) {
		distance = text_distance(name, row->name, 2);
		if (distance < best) {
			best = distance;
			nearest = row->name;
		}
	}
	if (nearest)
		snprintf(text, sizeof(text), "unknown option; did you mean '%s'", nearest);
	return usage_error(arg, NULL, was ? was : text);
}

/* Options from argv[*at] on. Leaves *at at the first argument that is none. */
static enum exit_status
parse_options(struct args *args, char **argv, int *at)
{
	while (argv[*at] && argv[*at][0] == '-' && argv[*at][1] && strcmp(argv[*at], "--") != 0) {
		const char *arg = argv[(*at)++], *value, *wrong;
		const struct option_row *row = option_find(arg, &value);

		if (!row)
			return unknown_option(arg);
		if (row->value && !value) {
			value = argv[*at];
			if (!value)
				return usage_error(arg, NULL, "a value must follow");
			++*at;
		}
		args->seen |= 1ull << (row - option_rows);
		if (row->flag)
			*(bool *)((char *)args + row->flag) = true;
		wrong = row->take ? row->take(args, value) : NULL;
		if (wrong)
			return usage_error(row->name, value, wrong);
		if (args->done)
			return STATUS_OK;
	}
	return STATUS_OK;
}

/* Cuts off the command behind `--`. */
static enum exit_status
split_command(struct args *args, char **rest)
{
	for (; *rest; rest++)
		if (strcmp(*rest, "--") == 0) {
			*rest = NULL;
			args->command = rest + 1;
			return rest[1] ? STATUS_OK : usage_error("--", NULL, "a command must follow");
		}
	return STATUS_OK;
}

/* "'ktap FILE', 'ktap run'": the words of `only`. */
static void
list_commands(const char *only, struct text *out)
{
	const char *separator = "";

	for (size_t len; *only; only += len + (only[len] == ' ')) {
		len = strcspn(only, " ");
		text_printf(out, "%s'ktap %.*s'", separator, (int)len, only);
		separator = ", ";
	}
}

/* What means nothing to the subcommand that is given is refused, not passed over. */
static enum exit_status
check_options(const struct args *args)
{
	const char *name = args->subcommand ? args->subcommand->name : "FILE";
	struct text what = { 0 };

	for (const struct option_row *row = option_rows; row->name; row++) {
		if (!(args->seen >> (row - option_rows) & 1) || !row->only || has_word(row->only, name))
			continue;
		text_puts(&what, "an option of ");
		list_commands(row->only, &what);
		usage_error(row->name, NULL, what.s);
		text_fini(&what);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/* More words than the subcommand takes, or a command that it does not run. */
static enum exit_status
check_words(const struct args *args)
{
	const struct subcommand *subcommand = args->subcommand;

	if (!subcommand)
		return STATUS_OK;
	if (args->command && !subcommand->runs_command)
		return usage_error("--", NULL, "this subcommand runs no command");
	for (unsigned n = 0; subcommand->max_words && args->script_args[n]; n++)
		if (n == subcommand->max_words)
			return usage_error(args->script_args[n], NULL, "one word more than the subcommand takes");
	return STATUS_OK;
}

static const struct subcommand *
subcommand_find(const char *name)
{
	for (const struct subcommand *row = subcommands; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

/* Options and words in any order; the words move together at argv[at]. */
static enum exit_status
parse_words(struct args *args, char **argv, int at)
{
	enum exit_status status = STATUS_OK;
	int n = 0;

	args->script_args = argv + at;
	while (argv[at] && status == STATUS_OK && !args->done) {
		status = parse_options(args, argv, &at);
		if (status == STATUS_OK && argv[at])
			args->script_args[n++] = argv[at++];
	}
	args->script_args[n] = NULL;
	return status;
}

/* `--from FILE` may stand behind the script, too; it is then no argument of the script. */
static enum exit_status
parse_from(struct args *args, char **argv, int *at)
{
	static const char name[] = "--from";
	const char *arg = argv[*at];

	if (!arg || strncmp(arg, name, strlen(name)) != 0 || (arg[strlen(name)] && arg[strlen(name)] != '='))
		return STATUS_OK;
	++*at;
	if (arg[strlen(name)])
		args->from = arg + strlen(name) + 1;
	else if (argv[*at])
		args->from = argv[(*at)++];
	else
		return usage_error(name, NULL, "a value must follow");
	return STATUS_OK;
}

/* FILE and the arguments of the script. */
static enum exit_status
parse_script(struct args *args, char **argv, int at)
{
	enum exit_status status = args->subcommand ? parse_options(args, argv, &at) : STATUS_OK;

	if (status != STATUS_OK || args->done)
		return status;
	if (argv[at] && !args->text)
		args->file = argv[at++];
	status = parse_from(args, argv, &at);
	if (status != STATUS_OK)
		return status;
	args->script_args = argv + at;
	return args->file || args->text ? STATUS_OK : usage_error("FILE", NULL, "a script is needed, or -e TEXT");
}

enum exit_status
args_parse(struct args *args, int argc, char **argv)
{
	enum exit_status status;
	int at = argc > 0 ? 1 : 0;

	*args = (struct args){ 0 };
	status = parse_options(args, argv, &at);
	if (status != STATUS_OK || args->done)
		return status;
	status = split_command(args, argv + at);
	if (status != STATUS_OK)
		return status;
	if (argv[at] && !args->text)
		args->subcommand = subcommand_find(argv[at]);
	at += args->subcommand != NULL;
	if (args->subcommand && args->subcommand->operands == OPERANDS_WORDS)
		status = parse_words(args, argv, at);
	else
		status = parse_script(args, argv, at);
	if (status == STATUS_OK && !args->done)
		status = check_options(args);
	if (status == STATUS_OK && !args->done)
		status = check_words(args);
	if (status == STATUS_OK && args->from && (args->command || args->pid || args->engine || args->on_one_cpu || args->cgroup))
		return usage_error("--from", args->from, "a recording has its own events: no command, -p, -C, --cgroup or --engine goes with it");
	if (status == STATUS_OK && args->command && args->pid)
		return usage_error("-p", NULL, "a process or a command is traced, not both");
	return status;
}

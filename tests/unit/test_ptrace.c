/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The user engine. The traced command is this program itself, which acts a scenario of known system calls (`test_ptrace act
 * NAME`); a handler made by hand counts events in a table, and the counts have to be exact. Every group runs with the filter and without
 * it. strace, where it is installed, is the witness for the order of calls. Needs no privilege.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "source_fixture.h"

/* ---- what the traced command does --------------------------------------------------------------------------- */

static int
act_plain(void)
{
	calls(1000);
	syscall(SYS_getpgid, 0);
	return 7;
}

static int
act_threads(void)
{
	pthread_t threads[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, thread_calls, NULL);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* SIGCHLD would make the kernel begin a fork again (ERESTARTNOINTR), which then is one more call. */
static int
act_forks(void)
{
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (i = 0; i < 20; i++) {
		if (syscall(SYS_fork) == 0) {
			calls(10);
			if (i % 2 == 0 && syscall(SYS_fork) == 0) {
				calls(1);
				_exit(0);
			}
			wait(NULL);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

static int
act_vfork(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		if (vfork() == 0) {
			syscall(SYS_getppid);
			_exit(0);
		}
		wait(NULL);
	}
	return 0;
}

static void *
thread_exec(void *arg)
{
	calls(3);
	execl(SELF, "test_ptrace", "act", "plain", NULL);
	return arg;
}

/* The other threads and the first one die in the middle of their calls. */
static int
act_thread_exec(void)
{
	pthread_t thread, other;

	pthread_create(&other, NULL, thread_calls, NULL);
	pthread_join(other, NULL);
	pthread_create(&thread, NULL, thread_exec, NULL);
	for (;;)
		pause();
	return 0;
}

static int
act_killed(void)
{
	calls(5);
	kill(getpid(), SIGKILL);
	return 0;
}

static void *
thread_forever(void *arg)
{
	for (;;)
		syscall(SYS_getpgid, 0);
	return arg;
}

/* Threads die while they are stopped. */
static int
act_group_exit(void)
{
	pthread_t thread;
	int i, round;

	for (round = 0; round < 10; round++) {
		if (fork() == 0) {
			for (i = 0; i < 6; i++)
				pthread_create(&thread, NULL, thread_forever, NULL);
			calls(20);
			if (round % 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

static int
act_stopped(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		calls(2);
		raise(SIGSTOP);
		calls(3);
		_exit(4);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
		return 1;
	usleep(20000);
	if (waitpid(pid, &status, WNOHANG) != 0) /* stays stopped */
		return 2;
	kill(pid, SIGCONT);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 3;
	return WEXITSTATUS(status);
}

static void
on_signal(int number)
{
	(void)number;
}

static int
act_signals(void)
{
	int i;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	for (i = 0; i < 10; i++) {
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		kill(getpid(), SIGCHLD); /* ignored by default */
	}
	return 0;
}

#define LEFTOVER_MS 3000 /* how long the process that is left behind sleeps: longer than a run takes on a busy machine */

/* Leaves a child behind, whose calls have to work until its end; it writes how many did. */
static int
act_leftover(void)
{
	const char *path = getenv("LEFTOVER");
	int i, fd, n = 0;

	if (fork())
		return 5;
	setsid();
	usleep(LEFTOVER_MS * 1000);
	for (i = 0; i < 50; i++)
		n += syscall(SYS_getppid) > 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (dprintf(fd, "%d\n", n) < 0)
		_exit(1);
	_exit(0);
}

static int
act_forever(void)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_create(&thread, NULL, thread_forever, NULL);
	for (;;)
		calls(1);
	return 0;
}

#define SLEEP_S 100

static int
act_sleep(void)
{
	sleep(SLEEP_S);
	return 0;
}

static const struct scenario scenarios[] = {
	{ "plain", act_plain },           { "threads", act_threads },       { "forks", act_forks },     { "vfork", act_vfork },
	{ "thread_exec", act_thread_exec }, { "killed", act_killed },         { "stopped", act_stopped }, { "signals", act_signals },
	{ "group_exit", act_group_exit }, { "leftover", act_leftover },     { "forever", act_forever }, { "sleep", act_sleep },
};

/* ---- an object that counts events ---------------------------------------------------------------------------------- */

/* Event numbers of the last run, in order: its program sends them through the ring buffer. */
static struct {
	uint32_t *numbers;
	uint32_t n, cap;
} sequence;

static void
add_program(struct run *run, uint32_t records)
{
	struct program *program = arena_alloc(run->arena, sizeof(*program));
	uint32_t out;

	code_init(&run->code, run->arena);
	out = code_label(&run->code);
	emit_count(run, out);
	emit(run, insn_mov(2, 10));
	emit(run, insn_alu_imm(BPF_ADD, 2, -8));
	emit_send(run, records, 4);
	code_bind(&run->code, out);
	emit(run, insn_mov_imm(0, 0));
	emit(run, insn_exit());
	assert_int_equal(code_finish(&run->code), 0);
	program->func = object_add_func(run->object, func_from_code(&run->code, "count", "test"));
	program->stack_size = 8;
	object_add_program(run->object, program);
}

static void
open_run(struct run *run)
{
	run_init(run, EVENTS_USER);
	run->object->table_records = run_add_table(run, &(struct table){ .name = "records", .kind = TABLE_RINGBUF, .max_entries = 1 << 20 });
	add_program(run, run->object->table_records);
	sequence.n = 0;
}

static void
take(void *arg, const void *record, size_t len)
{
	assert_int_equal(len, 4);
	if (sequence.n == sequence.cap) {
		sequence.cap = sequence.cap ? 2 * sequence.cap : 1024;
		sequence.numbers = realloc(sequence.numbers, sequence.cap * sizeof(*sequence.numbers));
		assert_non_null(sequence.numbers);
	}
	memcpy(&sequence.numbers[sequence.n++], record, 4);
}

/* As the session's loop does it. */
static void
pump_for(struct run *run, double ms)
{
	const struct source_ops *ops = run->source->ops;
	double until = now_ms() + ms;
	struct pollfd ready = { .events = POLLIN };

	while (!ops->ended(run->source) && now_ms() < until) {
		assert_int_equal(ops->poll_fds(run->source, &ready.fd, 1), 1);
		poll(&ready, 1, 50);
		assert_true(ops->pump(run->source, take, run) >= 0);
	}
}

static void
start_run(struct run *run, const struct target *target, const char *const *patterns)
{
	open_run(run);
	if (source_ptrace_open(&run->source, run->object, run->events, target, &run->why) < 0)
		fail_msg("%s", run->why.s);
	for (; *patterns; patterns++)
		assert_true(attach(run, run->object->programs[0], *patterns) > 0);
	start(run);
}

static void
stop_run(struct run *run)
{
	run->source->ops->stop(run->source);
	while (run->source->ops->pump(run->source, take, run) > 0)
		;
	run->source->ops->stats(run->source, &run->stats);
}

/* Runs a command to its end. */
static void
run_command(struct run *run, char **argv, const char *const *patterns)
{
	struct target target = { .argv = argv };

	start_run(run, &target, patterns);
	pump_for(run, 20000);
	if (!run->source->ops->ended(run->source))
		fail_msg("%s %s: did not end", argv[0], argv[2]);
	stop_run(run);
}

/* ---- exact counts ------------------------------------------------------------------------------------------------------ */

static const struct scenario_case {
	const char *scenario;
	const char *patterns[6];
	struct { const char *system, *name; uint64_t n; } counts[6];
	int exit_code; /* negative: signal */
} cases[] = {
	{ "plain", { "syscalls:sys_*_getppid", "syscalls:sys_enter_getpgid" },
	  { { "syscalls", "sys_enter_getppid", 1000 }, { "syscalls", "sys_exit_getppid", 1000 }, { "syscalls", "sys_enter_getpgid", 1 } }, 7 },
	{ "plain", { "syscalls:sys_exit_getppid" }, { { "syscalls", "sys_exit_getppid", 1000 } }, 7 },
	{ "plain", { "syscalls:*", "syscalls:sys_enter_getppid" }, /* twice: two handlers */
	  { { "syscalls", "sys_enter_getppid", 2000 }, { "syscalls", "sys_exit_getppid", 1000 }, { "syscalls", "sys_enter_execve", 1 },
	    { "syscalls", "sys_exit_execve", 1 }, { "syscalls", "sys_enter_exit_group", 1 } }, 7 },
	{ "threads", { "syscalls:sys_*_getppid", "sched:*" },
	  { { "syscalls", "sys_enter_getppid", 4000 }, { "syscalls", "sys_exit_getppid", 4000 }, { "sched", "sched_process_fork", 8 },
	    { "sched", "sched_process_exit", 9 }, { "sched", "sched_process_exec", 1 } }, 0 },
	{ "forks", { "syscalls:sys_*_getppid", "sched:*", "syscalls:sys_*_fork" },
	  { { "syscalls", "sys_enter_getppid", 210 }, { "syscalls", "sys_exit_getppid", 210 }, { "sched", "sched_process_fork", 30 },
	    { "sched", "sched_process_exit", 31 }, { "syscalls", "sys_enter_fork", 30 },
	    { "syscalls", "sys_exit_fork", 60 } /* parent and child return */ }, 0 },
	{ "vfork", { "syscalls:sys_*_getppid", "sched:*", "syscalls:sys_*_vfork" },
	  { { "syscalls", "sys_enter_getppid", 20 }, { "sched", "sched_process_fork", 20 }, { "sched", "sched_process_exit", 21 },
	    { "syscalls", "sys_exit_vfork", 40 } }, 0 },
	{ "thread_exec", { "syscalls:sys_*_getppid", "syscalls:sys_*_execve", "sched:sched_process_exec" },
	  { { "syscalls", "sys_enter_getppid", 1503 }, { "syscalls", "sys_exit_getppid", 1503 }, { "syscalls", "sys_enter_execve", 2 },
	    { "syscalls", "sys_exit_execve", 2 }, { "sched", "sched_process_exec", 2 } }, 7 },
	{ "killed", { "syscalls:sys_*_getppid", "sched:sched_process_exit" },
	  { { "syscalls", "sys_enter_getppid", 5 }, { "sched", "sched_process_exit", 1 } }, -SIGKILL },
	{ "group_exit", { "syscalls:sys_*_getppid", "syscalls:sys_*_getpgid", "sched:*" },
	  { { "syscalls", "sys_enter_getppid", 200 }, { "syscalls", "sys_exit_getppid", 200 }, { "sched", "sched_process_fork", 70 } }, 0 },
	{ "stopped", { "syscalls:sys_*_getppid" },
	  { { "syscalls", "sys_enter_getppid", 5 }, { "syscalls", "sys_exit_getppid", 5 } }, 4 },
	{ "signals", { "signal:signal_deliver" }, { { "signal", "signal_deliver", 10 } }, 0 },
};

static void
check_case(const struct scenario_case *c)
{
	char *argv[] = { SELF, "act", (char *)c->scenario, NULL };
	struct run run;
	uint64_t n;
	size_t i;

	run_command(&run, argv, c->patterns);
	for (i = 0; i < ARRAY_SIZE(c->counts) && c->counts[i].name; i++) {
		n = count_of(&run, c->counts[i].system, c->counts[i].name);
		if (n != c->counts[i].n)
			fail_msg("%s: %s counted %d times, not %d", c->scenario, c->counts[i].name, (int)n, (int)c->counts[i].n);
	}
	assert_true(run.stats.command_ended);
	if (c->exit_code < 0)
		assert_int_equal(WTERMSIG(run.stats.exit_status), -c->exit_code);
	else
		assert_int_equal(WEXITSTATUS(run.stats.exit_status), c->exit_code);
	run_fini(&run);
}

static void
check_cases(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		check_case(&cases[i]);
}

static void
test_counts_with_filter(void **state)
{
	check_cases();
}

static void
test_counts_without_filter(void **state)
{
	setenv("KTAP_NO_SECCOMP", "1", 1);
	check_cases();
	unsetenv("KTAP_NO_SECCOMP");
}

/* As on a kernel before 5.3, by the filter's stops and by the turns of entry and exit. */
static void
test_counts_by_registers(void **state)
{
	setenv("KTAP_NO_SYSCALL_INFO", "1", 1);
	check_cases();
	setenv("KTAP_NO_SECCOMP", "1", 1);
	check_cases();
	unsetenv("KTAP_NO_SECCOMP");
	unsetenv("KTAP_NO_SYSCALL_INFO");
}

/* ---- order ------------------------------------------------------------------------------------------------------------------ */

/* Numbers of the calls in strace's file, in order. */
static uint32_t
strace_calls(const char *path, int32_t *numbers, uint32_t max)
{
	const struct syscall *syscall;
	char line[4096];
	uint32_t n = 0;
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "(")] = 0;
		syscall = syscall_by_name(line);
		if (!syscall)
			continue; /* +++ exited +++ */
		assert_true(n < max);
		numbers[n++] = syscall->number;
	}
	fclose(file);
	return n;
}

static void
test_order_as_strace(void **state)
{
	static const char *const patterns[] = { "syscalls:sys_enter_*", NULL };
	char *argv[] = { "ls", "-l", "/", NULL };
	static int32_t numbers[10000];
	char path[] = "/tmp/test_ptrace_XXXXXX", command[256];
	struct run run;
	uint32_t i, n;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "strace -qq -o %s ls -l / >/dev/null 2>&1", path);
	if (system(command) != 0) {
		unlink(path);
		skip();
	}
	n = strace_calls(path, numbers, ARRAY_SIZE(numbers));
	unlink(path);
	fd = dup(STDOUT_FILENO);
	assert_non_null(freopen("/dev/null", "w", stdout));
	run_command(&run, argv, patterns);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	for (i = 0; i < sequence.n && i < n; i++)
		if (run.object->events[sequence.numbers[i]]->number != numbers[i])
			fail_msg("call %u is %s, strace saw %s", i, run.object->events[sequence.numbers[i]]->name,
				 syscall_by_number(numbers[i])->name);
	assert_int_equal(sequence.n, n);
	run_fini(&run);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------- */

/* Starts this program as a process of its own, and returns when it is that: the pipe ends with execve. */
static pid_t
start_process(const char *what)
{
	int fds[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		execl(SELF, "test_ptrace", "act", what, NULL);
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
	return pid;
}

/* A running process is let go of as it was. */
static void
test_process(void **state)
{
	static const char *const patterns[] = { "syscalls:sys_*_getppid", "syscalls:sys_enter_getpgid", NULL };
	struct target target = { 0 };
	char path[64], text[4096], *line;
	struct run run;
	int fd, status;
	ssize_t n;

	target.pid = start_process("forever");
	start_run(&run, &target, patterns);
	/* However slow the machine is. */
	for (int i = 0; i < 200 && (count_of(&run, "syscalls", "sys_exit_getppid") <= 100 || count_of(&run, "syscalls", "sys_enter_getpgid") <= 100); i++)
		pump_for(&run, 100);
	stop_run(&run);
	assert_true(count_of(&run, "syscalls", "sys_enter_getppid") > 100);
	assert_true(count_of(&run, "syscalls", "sys_exit_getppid") > 100);
	assert_true(count_of(&run, "syscalls", "sys_enter_getpgid") > 100);
	assert_false(run.source->ops->ended(run.source));
	run_fini(&run);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)target.pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n > 0);
	text[n] = 0;
	assert_non_null(strstr(text, "TracerPid:\t0\n"));
	line = strstr(text, "State:\t");
	assert_non_null(line);
	assert_true(line[7] == 'R' || line[7] == 'S');
	kill(target.pid, SIGKILL);
	assert_int_equal(waitpid(target.pid, &status, 0), target.pid);
}

static void
test_stop_ends_command(void **state)
{
	static const char *const patterns[] = { "syscalls:*", NULL };
	char *argv[] = { SELF, "act", "sleep", NULL };
	struct target target = { .argv = argv };
	double since = now_ms();
	struct run run;

	start_run(&run, &target, patterns);
	pump_for(&run, 50);
	stop_run(&run);
	pump_for(&run, 20000); /* the stop itself waits for a part of a second, which may be too short on a busy machine */
	run.source->ops->stats(run.source, &run.stats);
	assert_true(run.stats.command_ended);
	assert_int_equal(WTERMSIG(run.stats.exit_status), SIGTERM);
	run_fini(&run);
	assert_true(now_ms() - since < SLEEP_S * 1000);
}

static void
test_untraced(void **state)
{
	static const char *const patterns[] = { NULL };
	char *argv[] = { SELF, "act", "plain", NULL };
	struct run run;

	run_command(&run, argv, patterns);
	assert_int_equal(WEXITSTATUS(run.stats.exit_status), 7);
	assert_int_equal(run.stats.n_events, 0);
	run_fini(&run);
}

static void
test_never_started(void **state)
{
	char *argv[] = { SELF, "act", "plain", NULL };
	struct target target = { .argv = argv };
	struct run run;

	open_run(&run);
	assert_int_equal(source_ptrace_open(&run.source, run.object, run.events, &target, &run.why), 0);
	run_fini(&run);
}

/* `test_ptrace run SCENARIO`: a whole life of the engine in a process of its own. */
static int
run_scenario(const char *scenario)
{
	static const char *const patterns[] = { "syscalls:*", NULL };
	char *argv[] = { SELF, "act", (char *)scenario, NULL };
	struct run run;
	int status;

	run_command(&run, argv, patterns);
	status = WEXITSTATUS(run.stats.exit_status);
	run_fini(&run);
	return status;
}

/* Runs `test_ptrace run SCENARIO` as a user (0: ours); returns its exit status. */
static int
run_apart(const char *scenario, uid_t uid)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (uid && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(98);
		execl(SELF, "test_ptrace", "run", scenario, NULL);
		_exit(97);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A process that the command leaves behind does not keep us, and its calls, at which the filter stops, go on to work. */
static void
test_leftover(void **state)
{
	char path[] = "/tmp/test_ptrace_XXXXXX", text[16] = "";
	double since = now_ms();
	int fd = mkstemp(path), i;

	assert_true(fd >= 0);
	setenv("LEFTOVER", path, 1);
	assert_int_equal(run_apart("leftover", 0), 5);
	assert_true(now_ms() - since < LEFTOVER_MS); /* as long as the child sleeps: nobody waited for it */
	for (i = 0; i < 1000 && pread(fd, text, sizeof(text) - 1, 0) == 0; i++)
		usleep(10000);
	assert_string_equal(text, "50\n");
	close(fd);
	unlink(path);
}

static void
test_unprivileged(void **state)
{
	if (geteuid() == 0)
		assert_int_equal(run_apart("forks", 65534), 0);
	else
		skip();
}

/* ---- errors ------------------------------------------------------------------------------------------------------------------------- */

static void
test_errors(void **state)
{
	char *missing[] = { "/no/such/command", NULL };
	struct target nothing = { .argv = missing }, nobody = { .pid = 999999999 }, ours = { .pid = getpid() };
	struct event *event;
	struct run run;

	open_run(&run);
	assert_int_equal(source_ptrace_open(&run.source, run.object, run.events, &nothing, &run.why), -ENOENT);
	assert_non_null(strstr(run.why.s, "/no/such/command"));
	text_clear(&run.why);

	assert_int_equal(source_ptrace_open(&run.source, run.object, run.events, &nobody, &run.why), 0);
	event = events_kprobe(run.events, "vfs_read");
	assert_int_equal(run.source->ops->attach(run.source, run.object->programs[0], event, &run.why), -EOPNOTSUPP);
	assert_non_null(strstr(run.why.s, "probe:vfs_read"));
	event = events_profile(run.events, 1000000);
	assert_int_equal(run.source->ops->attach(run.source, run.object->programs[0], event, &run.why), -EOPNOTSUPP);
	text_clear(&run.why);
	assert_int_equal(run.source->ops->start(run.source, &run.why), -ESRCH);
	assert_non_null(strstr(run.why.s, "999999999"));
	run.source->ops->close(run.source);
	text_clear(&run.why);

	assert_int_equal(source_ptrace_open(&run.source, run.object, run.events, &ours, &run.why), 0);
	assert_int_equal(run.source->ops->start(run.source, &run.why), -EPERM);
	assert_non_null(strstr(run.why.s, "ktap itself"));
	run_fini(&run);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_with_filter),
		cmocka_unit_test(test_counts_without_filter),
		cmocka_unit_test(test_counts_by_registers),
		cmocka_unit_test(test_order_as_strace),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_stop_ends_command),
		cmocka_unit_test(test_untraced),
		cmocka_unit_test(test_never_started),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_errors),
	};

	if (argc == 3 && strcmp(argv[1], "act") == 0)
		_exit(act(scenarios, ARRAY_SIZE(scenarios), argv[2])); /* past LeakSanitizer, which does not work in a traced process */
	if (argc == 3 && strcmp(argv[1], "run") == 0)
		return run_scenario(argv[2]);
	return cmocka_run_group_tests_name("ptrace", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * mangled: main calls functions that bear the names that compilers of C++ and Rust give theirs, the last of which calls getppid(2) once:
 *
 *     app::Engine::run(int)         Itanium C++ ABI, section 5.1
 *     int app::call<int>(int)       the same, a template
 *     app::tasks::work              Rust, legacy: as C++, with a hash
 *     app::tasks::rest              Rust, RFC 2603
 *     _Zero                         a plain name of C that only begins so
 */
#include "frames.h"

void
run(void) __asm__("_ZN3app6Engine3runEi");
void
call(void) __asm__("_ZN3app4callIiEET_S1_");
void
work(void) __asm__("_ZN3app5tasks4work17h0123456789abcdefE");
void
rest(void) __asm__("_RNvNtCs1234_3app5tasks4rest");
void
zero(void) __asm__("_Zero");

FRAME void
zero(void)
{
	call_getppid();
}

FRAME void
rest(void)
{
	zero();
	KEEP_FRAME();
}

FRAME void
work(void)
{
	rest();
	KEEP_FRAME();
}

FRAME void
call(void)
{
	work();
	KEEP_FRAME();
}

FRAME void
run(void)
{
	call();
	KEEP_FRAME();
}

int
main(void)
{
	run();
	KEEP_FRAME();
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* A library that test_script loads while its script runs: a frame of it stands between two of the test's. */
void
fires(void (*fn)(void *arg), void *arg);

void
fires(void (*fn)(void *arg), void *arg)
{
	fn(arg);
	__asm__ volatile(""); /* no jump instead of a call */
}

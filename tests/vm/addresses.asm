; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: verifier.rst: the sum of an address and a number is an address, the sum of two is nothing that can be used; no part of an address

== addresses multiplied
refuse: only 64-bit addition
r4 *= 2
r0 = 0
exit

== half of an address
refuse: part of an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
w0 = w4
exit

== sum of addresses
refuse: nothing to do with each other
r4 += r10
r0 = 0
exit

== difference of unrelated addresses
refuse: nothing to do with each other
stricter: the kernel lets the privileged see its addresses; ours never leave a program
r4 -= r10
r0 = 0
exit

== context moved
refuse: not the address of memory
stricter: the kernel's context is memory of known shape; ours is for helpers only
r2 += 8
r0 = 0
exit

== 32-bit addition on an address
refuse: only 64-bit addition
w4 += 1
r0 = 0
exit

== number minus address
refuse: nothing to do
r3 -= r4
r0 = 0
exit

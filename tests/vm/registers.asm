; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: RFC 9669 leaves registers without a value at the start (only r1 and r10 hold something, here also r2 to r4); the kernel's
     verifier.rst: "a register that was never written is not readable", and after a call r1 to r5 are not

== r0 never set
refuse: reads r0
exit

== r5 is no argument
refuse: reads r5
r0 = r5
exit

== r1 to r5 are lost by a call
refuse: reads r1
call 5
r0 = r1
exit

== set on one way only
refuse: reads r6
if r3 == 0 goto +1
r6 = 1
r0 = r6
exit

== r10 written
refuse: writes r10
r10 = 1
r0 = 0
exit

== address returned
refuse: returns an address
stricter: the kernel lets the privileged see its addresses; ours never leave a program
r0 = r4
exit

== void helper's result
refuse: reads r0
r1 = table 3 ll
r2 = 8
r3 = 0
call 131
if r0 == 0 goto out
r1 = r0
r2 = 0
call 132
exit
out: r0 = 0
exit

; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: a comparison with a constant bounds the number on both ways (RFC 9669 section 4.3 says what each compares); scratch has 256 bytes, so
     the greatest index is 255, and one more must be refused

== r3 > 255, not taken
accept
if r3 > 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 > 256, not taken
refuse: behind its end
if r3 > 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 >= 256, not taken
accept
if r3 >= 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 >= 257, not taken
refuse: behind its end
if r3 >= 257 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 < 256, taken
accept
if r3 < 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 < 257, taken
refuse: behind its end
if r3 < 257 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 <= 255, taken
accept
if r3 <= 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 <= 256, taken
refuse: behind its end
if r3 <= 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 == 255, taken
accept
if r3 == 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 == 256, taken
refuse: behind its end
if r3 == 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 != 255, not taken
accept
if r3 != 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 != 256, not taken
refuse: behind its end
if r3 != 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 & -256, not taken
accept
if r3 & -256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 & -512, not taken
refuse: behind its end
if r3 & -512 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s> 255, not taken, and not negative
accept
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s> 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s> 256, not taken, and not negative
refuse: behind its end
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s> 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s>= 256, not taken, and not negative
accept
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s>= 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s>= 257, not taken, and not negative
refuse: behind its end
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s>= 257 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s< 256, taken, and not negative
accept
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s< 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 s< 257, taken, and not negative
refuse: behind its end
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s< 257 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 s<= 255, taken, and not negative
accept
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s<= 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 s<= 256, taken, and not negative
refuse: behind its end
if r3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if r3 s<= 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 > 255, not taken
accept
w3 = w3
if w3 > 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 > 256, not taken
refuse: behind its end
w3 = w3
if w3 > 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 >= 256, not taken
accept
w3 = w3
if w3 >= 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 >= 257, not taken
refuse: behind its end
w3 = w3
if w3 >= 257 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 < 256, taken
accept
w3 = w3
if w3 < 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 < 257, taken
refuse: behind its end
w3 = w3
if w3 < 257 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 <= 255, taken
accept
w3 = w3
if w3 <= 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 <= 256, taken
refuse: behind its end
w3 = w3
if w3 <= 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 == 255, taken
accept
w3 = w3
if w3 == 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 == 256, taken
refuse: behind its end
w3 = w3
if w3 == 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 != 255, not taken
accept
w3 = w3
if w3 != 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 != 256, not taken
refuse: behind its end
w3 = w3
if w3 != 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 & -256, not taken
accept
w3 = w3
if w3 & -256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 & -512, not taken
refuse: behind its end
w3 = w3
if w3 & -512 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 s> 255, not taken, and not negative
accept
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s> 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 s> 256, not taken, and not negative
refuse: behind its end
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s> 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 s>= 256, not taken, and not negative
accept
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s>= 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 s>= 257, not taken, and not negative
refuse: behind its end
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s>= 257 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 s< 256, taken, and not negative
accept
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s< 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 s< 257, taken, and not negative
refuse: behind its end
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s< 257 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 s<= 255, taken, and not negative
accept
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s<= 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 s<= 256, taken, and not negative
refuse: behind its end
w3 = w3
if w3 s< 0 goto out2
goto on
out2: r0 = 0
exit
on: if w3 s<= 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

why: a signed comparison alone leaves negative numbers, which are large offsets

== r3 s> 255 alone
refuse: not bounded
if r3 s> 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s>= 256 alone
refuse: not bounded
if r3 s>= 256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 s< 256 alone
refuse: not bounded
if r3 s< 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r3 s<= 255 alone
refuse: not bounded
if r3 s<= 255 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

why: a comparison of the low half says nothing of the upper one

== w3 > 255, r3 used
refuse: not bounded
if w3 > 255 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 < 256, r3 used
refuse: not bounded
if w3 < 256 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 == 7, r3 used
refuse: not bounded
if w3 == 7 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== w3 != 7, r3 used
refuse: not bounded
if w3 != 7 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== w3 & -256, r3 used
refuse: not bounded
if w3 & -256 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

why: comparisons of two registers bound both

== r3 < r5, r5 at most 256
accept
r5 = *(u8 *)(r1 + 0)
r5 += 1
if r3 >= r5 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 < r5, r5 at most 257
refuse: behind its end
r5 = *(u8 *)(r1 + 0)
r5 += 2
if r3 >= r5 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r3 == r5, r5 at most 255
accept
r5 = *(u8 *)(r1 + 0)
if r3 != r5 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== r5 > r3, r5 at most 255
accept
r5 = *(u8 *)(r1 + 0)
if r5 > r3 goto use
r0 = 0
exit
use: r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== r5 at least r3, r5 at most 65535
refuse: behind its end
r5 = *(u16 *)(r1 + 0)
if r3 > r5 goto out
r4 += r3
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

why: two copies of one number are equal whatever a comparison of them says, and what is known of one is known of all

== a copy, of five, after two of them were compared with each other
accept
weaker: 6.18 notes six registers a comparison, counts those that are copies of both operands twice, and forgets the ties of the rest
r0 = *(u8 *)(r1 + 0)
*(u64 *)(r10 - 8) = r0
r3 = *(u64 *)(r10 - 8)
r5 = r3
r6 = r3
if r0 != r3 goto out
if r3 > 20 goto out
r4 += r5
*(u8 *)(r4 + 235) = 1
out: r0 = 0
exit

== the same, one byte too far
refuse: behind its end
r0 = *(u8 *)(r1 + 0)
*(u64 *)(r10 - 8) = r0
r3 = *(u64 *)(r10 - 8)
r5 = r3
r6 = r3
if r0 != r3 goto out
if r3 > 20 goto out
r4 += r5
*(u8 *)(r4 + 236) = 1
out: r0 = 0
exit

== a copy of two, after they were compared with each other
accept
r0 = *(u8 *)(r1 + 0)
r5 = r0
if r0 != r5 goto out
if r0 > 20 goto out
r4 += r5
*(u8 *)(r4 + 235) = 1
out: r0 = 0
exit

why: two numbers that are copies on one way and strangers on another (found by test_vm_random): of a byte that is greater than another, or less, the
     other is at most 254, or at least 1, and whoever knows that the two are copies knows no less. It may not matter whether a checkpoint
     at the join saw the strangers before

== copies or strangers, the second less than the first
accept
r6 = *(u8 *)(r1 + 0)
r7 = *(u8 *)(r1 + 1)
if r3 != 0 goto on
r7 = r6
on: if r6 <= r7 goto out
r4 += r7
*(u8 *)(r4 + 1) = 1
out: r0 = 0
exit

== the same, one byte too far
refuse: behind its end
r6 = *(u8 *)(r1 + 0)
r7 = *(u8 *)(r1 + 1)
if r3 != 0 goto on
r7 = r6
on: if r6 <= r7 goto out
r4 += r7
*(u8 *)(r4 + 2) = 1
out: r0 = 0
exit

== copies or strangers, the first less than the second
accept
weaker: 6.18 tells both copies what it found out of the second, that it is at least 1, and forgets what it found out of the first
r6 = *(u8 *)(r1 + 0)
r7 = *(u8 *)(r1 + 1)
if r3 != 0 goto on
r7 = r6
on: if r7 >= r6 goto out
r4 += r7
*(u8 *)(r4 + 1) = 1
out: r0 = 0
exit

== the same with one byte too far
refuse: behind its end
r6 = *(u8 *)(r1 + 0)
r7 = *(u8 *)(r1 + 1)
if r3 != 0 goto on
r7 = r6
on: if r7 >= r6 goto out
r4 += r7
*(u8 *)(r4 + 2) = 1
out: r0 = 0
exit

== a copy that is one further, or a stranger, less than the other
accept
weaker: 6.18 tells the first what it found out of the second, one further, and forgets what it found out of the first
r6 = *(u8 *)(r1 + 0)
r7 = *(u8 *)(r1 + 1)
if r3 != 0 goto on
r7 = r6
r7 += 1
on: if r7 >= r6 goto out
r4 += r7
*(u8 *)(r4 + 1) = 1
out: r0 = 0
exit

== copies, 0 or 1, are not less than each other
accept
weaker: 6.18 follows the way that is never gone
r6 = r3
r6 &= 1
r7 = r6
if r6 >= r7 goto out
r4 += 256
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== strangers, 0 or 1, may be, though copies came by before
refuse: behind its end
r6 = *(u8 *)(r1 + 0)
r6 &= 1
r7 = *(u8 *)(r1 + 1)
r7 &= 1
if r3 != 0 goto on
r7 = r6
on: if r6 >= r7 goto out
r4 += 256
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== a copy speaks against a way that others go, though nothing reads it
refuse: behind its end
r6 = r3
r7 = r6
r7 += 23
if r7 <= 100 goto on
r0 = 1
on: if r6 > 25 goto out
r4 += 256
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

== a copy in the stack speaks against it
refuse: behind its end
r6 = r3
*(u64 *)(r10 - 8) = r6
r7 = r6
r6 += 23
r3 = 0
if r7 < 200 goto on
r0 = 1
on: r7 = 0
if r6 < 23 goto out
if r6 > 48 goto out
r4 += 256
*(u8 *)(r4 + 0) = 1
out: r0 = 0
exit

why: verifier.c of the kernel since 6.10: a copy to which a constant was added is narrowed by a comparison of the other, and the other way round

== a copy that is larger is compared
accept
r5 = r3
r5 += 5
if r5 >= 60 goto out
if r5 < 5 goto out
r4 += r3
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== a copy that is smaller is compared
accept
r5 = r3
r5 += -2
if r5 >= 60 goto out
r4 += r3
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== the first is compared, the larger copy used
accept
r5 = r3
r5 += 5
if r3 >= 60 goto out
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== by subtraction
accept
r5 = r3
r5 -= 2
if r5 >= 60 goto out
r4 += r3
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== a constant in a register
accept
r6 = 7
r5 = r3
r5 += r6
if r3 >= 60 goto out
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== added twice
refuse: not bounded
r5 = r3
r5 += 5
r5 += 1
if r3 >= 60 goto out
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== a copy of the larger copy is one of it alone
accept
r5 = r3
r5 += 5
r6 = r5
if r5 >= 60 goto out
r4 += r6
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== a copy of the larger copy is not one of the first
refuse: not bounded
r5 = r3
r5 += 5
r6 = r5
if r3 >= 60 goto out
r4 += r6
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== too large by one
refuse: behind its end
r5 = r3
r5 += 197
if r3 >= 60 goto out
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== the last that fits
accept
r5 = r3
r5 += 196
if r3 >= 60 goto out
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== the sum may wrap around
refuse: not bounded|offset is
r5 = r3
r5 += 16
if r5 >= 60 goto out
r4 += r3
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== in a register and the stack
accept
r5 = r3
*(u64 *)(r10 - 8) = r5
r3 += 5
if r3 >= 60 goto out
if r3 < 5 goto out
r5 = *(u64 *)(r10 - 8)
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== both are compared with each other
accept
r5 = r3
r5 += 5
if r5 > r3 goto out
r0 = 1
exit
out: r0 = 0
exit

== a constant that is too large
refuse: not bounded
r5 = r3
r6 = 0x80000000 ll
r5 += r6
r6 = 0x80000000 ll
if r5 < r6 goto out
r6 = 0x80000010 ll
if r5 > r6 goto out
r4 += r3
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== 32 bits added
refuse: not bounded
r5 = r3
w5 += 2
if r5 >= 60 goto out
r4 += r3
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== as a switch of clang's
accept
r2 = r3
r2 += -2
if r2 < 8 goto use
if r3 == 1 goto out
if r3 != 0 goto out
r4 += 8
goto load
use: r3 <<= 3
r4 += r3
load: r0 = *(u64 *)(r4 + 0)
exit
out: r0 = 0
exit

== paths where the distance differs are not the same
refuse: behind its end
r5 = r3
r6 = r1
r7 = *(u8 *)(r1 + 0)
if r7 == 0 goto other
r5 += 1
goto on
other: r5 += 250
on: r0 = 0
if r3 >= 60 goto out
r4 += r5
r0 = *(u8 *)(r4 + 0)
out: r0 = 0
exit

== the copy of what became a constant, smaller
accept
result: 7
r5 = r3
r5 += 3
if r5 != 5 goto out
r4 += r3
r0 = *(u8 *)(r4 + 253)
out: r0 = 7
exit

== the copy of what became a constant, larger
refuse: behind its end
r5 = r3
r5 += -3
if r5 != 250 goto out
r4 += r3
r0 = *(u8 *)(r4 + 3)
out: r0 = 0
exit

== a loop that ends by its copy never ends
refuse: a loop that never ends
r3 &= 15
r3 += r3
again: r7 = r3
r7 += 3
if r7 < 4 goto again
r0 = 0
exit

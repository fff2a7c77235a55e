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

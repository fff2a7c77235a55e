" SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
" Scripts in the ktap tracing language, by name or by first line.
autocmd BufNewFile,BufRead *.kp setfiletype ktap
autocmd BufNewFile,BufRead * if getline(1) =~# '^#!.*\<ktap\>' | setfiletype ktap | endif

"""Looking at a server from the shell: `ls` shows what there is now, `watch` what happens.

`listing` asks for what there is, `follower` for what is new; `lines` says how both are printed.
"""

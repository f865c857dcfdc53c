"""Looking at a server from the shell: `ls` shows what there is, `watch` what happens, `webhooks` what was delivered.

`listing` asks for what there is, `follower` for what is new; `tables` and `lines` say how it is printed.
"""

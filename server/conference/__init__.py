"""What a conference is and what may happen to it, without a clock, a socket, a task or a database.

Read `model` (what there is), `commands` and `events` (what is asked, what happened), `decide` (the rules),
`evolve` (what an event changes), `directives` (what follows for the sound), `wire` and `views` (how it is
shown).
"""

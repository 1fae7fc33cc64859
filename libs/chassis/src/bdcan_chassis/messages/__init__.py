"""Telling people: a transaction records what somebody is to hear, and a gateway sends it once, by e-mail or by text message.

`message` has the intent and its states, `templates` the words, `gateway` the sending, `mail` and `notify` the two channels.
"""

"""What runs in a process of its own, because it decodes what strangers send: nothing here reads settings,
opens connections or writes outside the folder it is given.
"""

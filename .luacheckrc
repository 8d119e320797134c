std = "lua54"
max_line_length = 120
files["spec"] = { std = "+busted" }
files["lua/restartmanager/meta.lua"] = { ignore = { "2..", "631" } } -- annotations only: nothing is used

-- The command of Python. Prefers the system's, because others start slowly.
local file <close> = io.open "/usr/bin/python3"
return file and "/usr/bin/python3" or "python3"

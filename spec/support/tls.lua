-- Certificates for specs. openssl creates them once per process, in a folder that is removed when
-- the interpreter ends.
--
--   local certificates = require "support.tls".certificates()
--   certificates.ca                      path of the authority that a client should trust
--   certificates.valid.cert, .key        paths; for localhost and 127.0.0.1
--
-- The others are expired, not_yet_valid, wrong_host, self_signed and unknown_authority.
local tls = {}

-- Before OpenSSL 3.4, only `openssl ca` accepts dates. Elliptic keys are fast to create.
local script = [[
cd "$folder"
cat >config <<END
[ca]
default_ca = here
[here]
dir = $folder
database = $folder/index
new_certs_dir = $folder
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
[req]
prompt = no
distinguished_name = name
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[here_too]
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
[elsewhere]
subjectAltName = DNS:elsewhere.example
extendedKeyUsage = serverAuth
END
: >index
openssl ecparam -name prime256v1 -genkey -noout -out key
openssl req -config config -new -key key -out request

authority() {
  openssl ecparam -name prime256v1 -genkey -noout -out $1.key
  openssl req -config config -x509 -key $1.key -subj "/CN=$1" -days 2 -extensions authority -out $1
}
sign() {  # sign NAME AUTHORITY EXTENSIONS START END
  openssl ca -config config -batch -notext -in request -cert $2 -keyfile $2.key -extensions $3 \
    -startdate $4 -enddate $5 -out $1
}
authority ca
authority other_ca
sign valid ca here_too 20200101000000Z 20491231000000Z
sign expired ca here_too 20200101000000Z 20210101000000Z
sign not_yet_valid ca here_too 20480101000000Z 20491231000000Z
sign wrong_host ca elsewhere 20200101000000Z 20491231000000Z
sign unknown_authority other_ca here_too 20200101000000Z 20491231000000Z
openssl req -config config -x509 -key key -days 2 -extensions here_too -out self_signed
]]

-- The child gets no LD_PRELOAD: see support/faults.lua.
local function run(folder)
  local log = folder .. "/log"
  local command = ("exec env -u LD_PRELOAD folder='%s' sh -es >'%s' 2>&1"):format(folder, log)
  local shell = assert(io.popen(command, "w"))
  shell:write(script)
  if shell:close() then return end
  local file = io.open(log)
  error("openssl: " .. (file and file:read "a" or "cannot write to " .. folder), 0)
end

local function temporary_folder()
  local pipe = assert(io.popen("exec env -u LD_PRELOAD mktemp -d"))
  local folder = pipe:read "l"
  pipe:close()
  return assert(folder, "mktemp -d failed")
end

local function remove(self)
  os.execute(("exec env -u LD_PRELOAD rm -rf '%s'"):format(self.folder))
end

local made

function tls.certificates()
  if made then return made end
  local folder = temporary_folder()
  local certificates = setmetatable({ folder = folder }, { __gc = remove })
  run(folder)
  certificates.ca = folder .. "/ca"
  for _, name in ipairs { "valid", "expired", "not_yet_valid", "wrong_host", "self_signed",
    "unknown_authority" } do
    certificates[name] = { cert = folder .. "/" .. name, key = folder .. "/key" }
  end
  made = certificates
  return made
end

return tls

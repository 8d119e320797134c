rockspec_format = "3.0"
package = "restartmanager"
version = "scm-1"
source = {
  url = "git+https://localhost/restartmanager.git", -- for `luarocks make` in a clone: nothing is fetched
}
description = {
  summary = "A Restart Manager: who uses these files, stop them, replace the files, start them again",
  license = "MIT",
  labels = { "process", "installer", "linux" },
}
supported_platforms = { "linux" }
dependencies = { "lua ~> 5.4" }
build = {
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "Release",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
}

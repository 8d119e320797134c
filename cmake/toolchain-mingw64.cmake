# For 64-bit Windows, built with mingw-w64 on another system. SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_PROCESSOR x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/toolchain-mingw.cmake")

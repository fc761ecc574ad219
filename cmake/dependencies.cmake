# Libraries come as Debian packages, found through pkg-config. What is missing is named all at once.
find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
set(missing "")

macro(need name module package)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
  if(NOT ${name}_FOUND)
    list(APPEND missing ${package})
  endif()
endmacro()

need(XXHASH libxxhash libxxhash-dev)
need(UV libuv libuv1-dev)
need(LIBELF libelf libelf-dev)
need(LIBDW libdw libdw-dev)
need(EDIT libedit libedit-dev)
need(ZLIB zlib zlib1g-dev)
need(JANSSON jansson libjansson-dev)
if(BACKSTEP_TESTS)
  need(CRITERION criterion libcriterion-dev)
endif()

# libfdt has no pkg-config file in Debian.
find_library(FDT_LIBRARY fdt)
find_path(FDT_INCLUDE libfdt.h)
if(FDT_LIBRARY AND FDT_INCLUDE)
  add_library(PkgConfig::FDT INTERFACE IMPORTED)
  target_link_libraries(PkgConfig::FDT INTERFACE ${FDT_LIBRARY})
  target_include_directories(PkgConfig::FDT INTERFACE ${FDT_INCLUDE})
else()
  list(APPEND missing libfdt-dev)
endif()

# Debian's slirp.pc asks for glib's development files, which libslirp's header does not need.
find_library(SLIRP_LIBRARY slirp)
find_path(SLIRP_INCLUDE slirp/libslirp.h)
if(SLIRP_LIBRARY AND SLIRP_INCLUDE)
  add_library(PkgConfig::SLIRP INTERFACE IMPORTED)
  target_link_libraries(PkgConfig::SLIRP INTERFACE ${SLIRP_LIBRARY})
  target_include_directories(PkgConfig::SLIRP INTERFACE ${SLIRP_INCLUDE})
else()
  list(APPEND missing libslirp-dev)
endif()

# capstone before 5 knows no RISC-V, so an older system copy is passed over for one that
# scripts/fetch-capstone.sh unpacked.
set(BACKSTEP_CAPSTONE ${CMAKE_SOURCE_DIR}/build/deps/capstone CACHE PATH
    "where a capstone >= 5 is unpacked, for systems that have none")
pkg_check_modules(CAPSTONE QUIET IMPORTED_TARGET capstone>=5)
if(NOT CAPSTONE_FOUND)
  # Looked up anew each time: the folder comes and goes with the build folder.
  unset(CAPSTONE_LIBRARY CACHE)
  unset(CAPSTONE_INCLUDE CACHE)
  find_library(CAPSTONE_LIBRARY libcapstone.so.5 NO_DEFAULT_PATH
               PATHS ${BACKSTEP_CAPSTONE}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}
                     ${BACKSTEP_CAPSTONE}/usr/lib)
  find_path(CAPSTONE_INCLUDE capstone/capstone.h NO_DEFAULT_PATH
            PATHS ${BACKSTEP_CAPSTONE}/usr/include)
  if(CAPSTONE_LIBRARY AND CAPSTONE_INCLUDE)
    # CMake writes the folder of a shared library outside the system's into the run path.
    add_library(PkgConfig::CAPSTONE SHARED IMPORTED)
    set_target_properties(PkgConfig::CAPSTONE PROPERTIES
                          IMPORTED_LOCATION ${CAPSTONE_LIBRARY}
                          IMPORTED_SONAME libcapstone.so.5)
    # Both spellings, as with the system's: <capstone/capstone.h> and <capstone.h>.
    target_include_directories(PkgConfig::CAPSTONE INTERFACE ${CAPSTONE_INCLUDE}
                                                             ${CAPSTONE_INCLUDE}/capstone)
  else()
    list(APPEND missing "capstone 5 or newer")
  endif()
endif()

if(missing)
  list(JOIN missing ", " missing)
  message(FATAL_ERROR "missing: ${missing}. ./run and ./test install or fetch what backstep needs; "
                      "use one of them.")
endif()

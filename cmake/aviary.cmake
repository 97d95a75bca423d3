# aviary.cmake - flags, the schema generator, and the functions that every folder's CMakeLists.txt uses:
#
#   aviary_library (NAME SOURCES a.c... [LIBS base...] [PKG lmdb...] [DEFINES X=1...])
#       -> static library aviary_NAME; errors of the schemas join `base`, their tables join `schema`
#   aviary_program (NAME SOURCES x.c... [LIBS ...] [PKG ...])          -> BUILD/bin/NAME
#   aviary_service (NAME SOURCES NAME.c op.c... [LIBS ...] [PKG ...])  -> BUILD/bin/aviary-NAME
#       NAME.c holds main; the rest and the generated NAME_ops.c go to the library aviary_service_NAME, so that operation
#       tests link it with `LIBS service_NAME`
#   aviary_unit_test (NAME SOURCES x_test.c... [LIBS ...] [PKG ...] [ARGS ...] [TIMEOUT s] [ONE_BACKEND])  -> cmocka test `NAME`
#       One with `optest` or `store_memory` among its LIBS is registered a second time, as `NAME@memory`, on the store's backend for tests
#       (docs/testing.md); ONE_BACKEND: not that.
#   aviary_fuzz (NAME SOURCES x_fuzz.c... [LIBS ...] CORPUS dir)
#       -> preset fuzz: a libFuzzer program BUILD/bin/fuzz-NAME; other presets: test `fuzz-NAME` runs every file of the corpus once.
#       BUILD/fuzzers lists them with their corpora
#
# LIBS are names without `aviary_`. PKG are pkg-config names, or plain library names where Debian has no .pc file.
include_guard()
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(AVIARY_MODE dev CACHE STRING "dev, release, tsan, cov or fuzz")
set_property(CACHE AVIARY_MODE PROPERTY STRINGS dev release tsan cov fuzz)

find_program(AVIARY_CCACHE ccache)
if(AVIARY_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${AVIARY_CCACHE})
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
                    -fno-omit-frame-pointer -g)
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
add_compile_definitions(AVIARY_VERSION="${PROJECT_VERSION}")

# Asserts stay in every mode: they are for our own bugs, and a release has those too.
set(AVIARY_SAN -fsanitize=address,undefined -fno-sanitize-recover=undefined)
if(AVIARY_MODE STREQUAL "dev")
    add_compile_options(-O1 ${AVIARY_SAN})
    add_link_options(${AVIARY_SAN})
    add_compile_definitions(AVIARY_SANITIZED=1)
elseif(AVIARY_MODE STREQUAL "release")
    add_compile_options(-O2 -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2)
    add_link_options(-pie -Wl,-z,relro,-z,now)
elseif(AVIARY_MODE STREQUAL "tsan")
    add_compile_options(-O1 -fsanitize=thread)
    add_link_options(-fsanitize=thread)
    add_compile_definitions(AVIARY_SANITIZED=1)
elseif(AVIARY_MODE STREQUAL "cov")
    add_compile_options(-O0 --coverage)
    add_link_options(--coverage)
elseif(AVIARY_MODE STREQUAL "fuzz")
    add_compile_options(-O1 ${AVIARY_SAN} -fsanitize=fuzzer-no-link)
    add_link_options(${AVIARY_SAN})
    add_compile_definitions(AVIARY_SANITIZED=1)
else()
    message(FATAL_ERROR "AVIARY_MODE is dev, release, tsan, cov or fuzz, not '${AVIARY_MODE}'")
endif()

# ---- schemas -> C ----
# The generator says with --list what it will write (paths below BUILD/gen). gen/errors.* belong to base, gen/NAME_ops.c to the service NAME (they name its
# handlers), every other .c to the library schema.
set(AVIARY_GEN ${CMAKE_BINARY_DIR}/gen)
set(AVIARY_GENERATOR ${CMAKE_SOURCE_DIR}/tools/schemagen/schemagen.py)
set(AVIARY_GEN_BASE)
set(AVIARY_GEN_TABLES)
file(MAKE_DIRECTORY ${AVIARY_GEN}/gen)
if(EXISTS ${AVIARY_GENERATOR})
    file(GLOB_RECURSE AVIARY_SCHEMAS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/*.toml)
    file(GLOB AVIARY_GENERATOR_PARTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/schemagen/*.py)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${AVIARY_SCHEMAS} ${AVIARY_GENERATOR_PARTS})
    set(AVIARY_GENERATE ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1 ${Python3_EXECUTABLE} ${AVIARY_GENERATOR}
        --schemas ${CMAKE_SOURCE_DIR}/schemas --out ${AVIARY_GEN})
    execute_process(COMMAND ${AVIARY_GENERATE} --list OUTPUT_VARIABLE AVIARY_GEN_FILES
                    OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "schemagen --list failed")
    endif()
    string(REPLACE "\n" ";" names "${AVIARY_GEN_FILES}")
    set(AVIARY_GEN_FILES)
    foreach(name ${names})
        cmake_path(ABSOLUTE_PATH name BASE_DIRECTORY ${AVIARY_GEN} NORMALIZE OUTPUT_VARIABLE file)
        list(APPEND AVIARY_GEN_FILES ${file})
        if(file MATCHES "/errors\\.c$")
            list(APPEND AVIARY_GEN_BASE ${file})
        elseif(file MATCHES "\\.c$" AND NOT file MATCHES "_ops\\.c$")
            list(APPEND AVIARY_GEN_TABLES ${file})
        endif()
    endforeach()
    set_source_files_properties(${AVIARY_GEN_FILES} PROPERTIES GENERATED TRUE)
    # A stamp is the output and the files are by-products: the generator leaves unchanged files alone, and so does the compiler.
    add_custom_command(OUTPUT ${AVIARY_GEN}/stamp BYPRODUCTS ${AVIARY_GEN_FILES}
                       COMMAND ${AVIARY_GENERATE} COMMAND ${CMAKE_COMMAND} -E touch ${AVIARY_GEN}/stamp
                       DEPENDS ${AVIARY_SCHEMAS} ${AVIARY_GENERATOR_PARTS} COMMENT "schemas -> C" VERBATIM)
    add_custom_target(aviary_gen DEPENDS ${AVIARY_GEN}/stamp)
else()
    message(WARNING "no tools/schemagen/schemagen.py yet")
    add_custom_target(aviary_gen)
endif()

# ---- functions ----
# While several hands work at once, a folder may name sources that are not there yet: build folders named h-* go on without them, and leave
# the programs that want them out of `all` and of the tests.
if(CMAKE_BINARY_DIR MATCHES "/h-[^/]*$")
    set(partial ON)
else()
    set(partial OFF)
endif()
option(AVIARY_PARTIAL "go on without sources that are missing" ${partial})
file(WRITE ${CMAKE_BINARY_DIR}/none.c "extern int none;\n")

# Takes missing sources out of the list `sources` where that is allowed; sets `missing`.
macro(aviary_sources target sources)
    set(missing FALSE)
    foreach(source ${${sources}})
        cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE file)
        if(AVIARY_PARTIAL AND NOT EXISTS ${file} AND NOT file IN_LIST AVIARY_GEN_FILES)
            message(STATUS "${target}: ${source} is missing")
            list(REMOVE_ITEM ${sources} ${source})
            list(APPEND ${sources} ${CMAKE_BINARY_DIR}/none.c)
            set(missing TRUE)
        endif()
    endforeach()
endmacro()

function(aviary_add_folder path)
    if(EXISTS ${CMAKE_SOURCE_DIR}/${path}/CMakeLists.txt)
        add_subdirectory(${path})
    endif()
endfunction()

# Include roots, dependencies and packages that every target has.
function(aviary_target target)
    cmake_parse_arguments(A "" "" "LIBS;PKG;DEFINES" ${ARGN})
    if(A_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "${target}: what is ${A_UNPARSED_ARGUMENTS}?")
    endif()
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/libs ${AVIARY_GEN})
    target_compile_definitions(${target} PRIVATE ${A_DEFINES})
    add_dependencies(${target} aviary_gen)
    foreach(lib ${A_LIBS})
        target_link_libraries(${target} PUBLIC aviary_${lib})
    endforeach()
    foreach(pkg ${A_PKG})
        string(MAKE_C_IDENTIFIER "${pkg}" key)
        pkg_check_modules(PKG_${key} QUIET IMPORTED_TARGET GLOBAL ${pkg})
        if(TARGET PkgConfig::PKG_${key})
            target_link_libraries(${target} PUBLIC PkgConfig::PKG_${key})
        else()
            find_library(LIB_${key} ${pkg} REQUIRED)
            target_link_libraries(${target} PUBLIC ${LIB_${key}})
        endif()
    endforeach()
    target_link_libraries(${target} PUBLIC Threads::Threads m)
endfunction()

function(aviary_library name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS;PKG;DEFINES" ${ARGN})
    set(more)
    if(name STREQUAL "base")
        set(more ${AVIARY_GEN_BASE})
    elseif(name STREQUAL "schema")
        set(more ${AVIARY_GEN_TABLES})
    endif()
    aviary_sources(aviary_${name} A_SOURCES)
    add_library(aviary_${name} STATIC ${A_SOURCES} ${more})
    aviary_target(aviary_${name} LIBS ${A_LIBS} PKG ${A_PKG} DEFINES ${A_DEFINES})
endfunction()

function(aviary_program name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS;PKG;DEFINES" ${ARGN})
    aviary_sources(${name} A_SOURCES)
    add_executable(${name} ${A_SOURCES})
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ${missing})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    aviary_target(${name} LIBS ${A_LIBS} PKG ${A_PKG} DEFINES ${A_DEFINES})
endfunction()

function(aviary_service name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS;PKG;DEFINES" ${ARGN})
    list(REMOVE_ITEM A_SOURCES ${name}.c)
    set(ops ${AVIARY_GEN}/gen/${name}_ops.c)
    if(ops IN_LIST AVIARY_GEN_FILES)
        list(APPEND A_SOURCES ${ops})
    endif()
    aviary_sources(aviary_service_${name} A_SOURCES)
    set(service_missing ${missing})
    add_library(aviary_service_${name} STATIC ${A_SOURCES})
    target_include_directories(aviary_service_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    aviary_target(aviary_service_${name} LIBS ${A_LIBS} PKG ${A_PKG} DEFINES ${A_DEFINES})
    aviary_program(aviary-${name} SOURCES ${name}.c LIBS service_${name} DEFINES ${A_DEFINES})
    if(service_missing)
        set_target_properties(aviary-${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    endif()
endfunction()

# What sanitizers need at run time; leaks count as failures.
set(AVIARY_TEST_ENV
    "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp"
    "AVIARY_BIN=${CMAKE_BINARY_DIR}/bin" "AVIARY_SOURCE=${CMAKE_SOURCE_DIR}")

function(aviary_test name)
    cmake_parse_arguments(A "SERIAL" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 60)
    endif()
    add_test(NAME ${name} COMMAND ${A_COMMAND})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} ENVIRONMENT "${AVIARY_TEST_ENV}" LABELS "${A_LABELS}")
    if(A_SERIAL)
        set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
    endif()
endfunction()

# A release is built where the packages of group `test` are not installed.
if(AVIARY_MODE STREQUAL "release")
    set(tests OFF)
else()
    set(tests ON)
endif()
option(AVIARY_TESTS "build the unit tests" ${tests})

function(aviary_unit_test name)
    cmake_parse_arguments(A "ONE_BACKEND" "TIMEOUT" "SOURCES;LIBS;PKG;DEFINES;ARGS" ${ARGN})
    set(target test-${name})
    aviary_sources(${target} A_SOURCES)
    add_executable(${target} ${A_SOURCES})
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    if(NOT AVIARY_TESTS)
        aviary_target(${target} LIBS ${A_LIBS} DEFINES ${A_DEFINES})
        set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL TRUE)
        return()
    endif()
    aviary_target(${target} LIBS ${A_LIBS} PKG ${A_PKG} cmocka DEFINES ${A_DEFINES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests EXCLUDE_FROM_ALL ${missing})
    if(missing)
        return()
    endif()
    aviary_test(${name} COMMAND ${target} ${A_ARGS} TIMEOUT ${A_TIMEOUT} LABELS unit)
    if(NOT A_ONE_BACKEND AND ("optest" IN_LIST A_LIBS OR "store_memory" IN_LIST A_LIBS))
        aviary_test(${name}@memory COMMAND ${target} ${A_ARGS} TIMEOUT ${A_TIMEOUT} LABELS unit)
        set_property(TEST ${name}@memory APPEND PROPERTY ENVIRONMENT AVIARY_OPTEST_BACKEND=memory)
    endif()
endfunction()

function(aviary_fuzz name)
    cmake_parse_arguments(A "" "CORPUS" "SOURCES;LIBS;PKG;DEFINES" ${ARGN})
    set(target fuzz-${name})
    aviary_sources(${target} A_SOURCES)
    cmake_path(ABSOLUTE_PATH A_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    # What there is and where its seeds are, for tools/fuzz.
    set_property(GLOBAL APPEND_STRING PROPERTY AVIARY_FUZZERS "${name} ${A_CORPUS}\n")
    get_property(fuzzers GLOBAL PROPERTY AVIARY_FUZZERS)
    file(WRITE ${CMAKE_BINARY_DIR}/fuzzers "${fuzzers}")
    if(AVIARY_MODE STREQUAL "fuzz")
        aviary_program(${target} SOURCES ${A_SOURCES} LIBS ${A_LIBS} PKG ${A_PKG} DEFINES ${A_DEFINES})
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        return()
    endif()
    aviary_program(${target} SOURCES ${A_SOURCES} ${CMAKE_SOURCE_DIR}/cmake/fuzz_replay.c
                   LIBS ${A_LIBS} PKG ${A_PKG} DEFINES ${A_DEFINES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    if(A_CORPUS AND NOT missing)
        aviary_test(${target} COMMAND ${target} ${A_CORPUS} LABELS fuzz)
    endif()
endfunction()

# libpq without Kerberos and LDAP, as the static target PostgreSQL::PostgreSQL.
#
# Debian's, shared or static, brings Kerberos, LDAP and GnuTLS along: 8 MB that no Ray image has, and that need a newer glibc than
# Ray's image has. The crate pq-src is PostgreSQL's own source of libpq and nothing else, so cargo fetches it; no Rust is
# compiled. For a new release of PostgreSQL, change these three lines.
set(SEEDCORE_LIBPQ 18.6)
set(SEEDCORE_LIBPQ_CRATE 0.3.14)
set(SEEDCORE_LIBPQ_SHA256 b335e98a4cdac5e3bff3fa043a45142a4b6dc9bc02885fc769ba4d30282c4dec)

enable_language(C)
set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})

set(fetched ${PROJECT_BINARY_DIR}/libpq)
set(crate ${fetched}/crates/pq-src-${SEEDCORE_LIBPQ_CRATE}+libpq-${SEEDCORE_LIBPQ})
if(NOT EXISTS ${crate})
  find_program(SEEDCORE_CARGO cargo)
  if(NOT SEEDCORE_CARGO)
    message(FATAL_ERROR "cargo is not here to fetch libpq's source: scripts/install-packages packages-wheel.txt, "
                        "or -DSEEDCORE_OWN_LIBPQ=OFF for the system's libpq with all that it needs")
  endif()
  file(WRITE ${fetched}/lib.rs "")
  file(WRITE ${fetched}/Cargo.toml "[package]\nname = \"sources\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n"
       "[lib]\npath = \"lib.rs\"\n[dependencies]\npq-src = \"=${SEEDCORE_LIBPQ_CRATE}\"\n")
  execute_process(COMMAND ${SEEDCORE_CARGO} vendor --quiet --versioned-dirs crates WORKING_DIRECTORY ${fetched}
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endif()
file(READ ${crate}/.cargo-checksum.json sums)
string(JSON sum GET "${sums}" package)
if(NOT sum STREQUAL SEEDCORE_LIBPQ_SHA256)
  message(FATAL_ERROR "${crate} has the checksum ${sum}, not ${SEEDCORE_LIBPQ_SHA256}")
endif()

# What configure would write. Folders as in Debian's libpq, so that the module and the program read one DSN alike.
set(source ${crate}/source/src)
set(written ${fetched}/include)
configure_file(${source}/include/port/linux.h ${written}/pg_config_os.h COPYONLY)
function(seedcore_replace file from to)
  file(READ ${file} text)
  string(REPLACE "${from}" "${to}" text "${text}")
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
endfunction()
seedcore_replace(${crate}/additional_include/pg_config_paths.h /usr/local/pgsql/etc /etc/postgresql-common)
seedcore_replace(${source}/include/pg_config_manual.h "\"/tmp\"" "\"/var/run/postgresql\"")

# The lists of pq-src's build.rs, less what glibc has.
set(port bsearch_arg chklocale getpeereid inet_net_ntop noblock pg_bitutils pg_crc32c_sb8 pg_strong_random pgcheckdir pgmkdirp
    pgsleep pgstrcasecmp pqsignal qsort quotes snprintf strerror strlcat strlcpy tar timingsafe_bcmp)
set(common base64 cryptohash_openssl encnames fe_memutils file_perm hmac_openssl ip jsonapi kwlookup link-canary logging
    md5_common percentrepl pg_get_line pg_lzcompress pg_prng pgfnames psprintf restricted_token rmtree saslprep scram-common
    sprompt string stringinfo unicode_norm username wait_error wchar)
set(interfaces/libpq fe-auth fe-auth-oauth fe-auth-scram fe-cancel fe-connect fe-exec fe-lobj fe-misc fe-print fe-protocol3
    fe-secure fe-secure-common fe-secure-openssl fe-trace legacy-pqsignal libpq-events pqexpbuffer)
set(files)
foreach(folder port common interfaces/libpq)
  foreach(name IN LISTS ${folder})
    list(APPEND files ${source}/${folder}/${name}.c)
  endforeach()
endforeach()

add_library(seedcore_libpq STATIC ${files})
string(REGEX MATCH "^[0-9]+" major ${SEEDCORE_LIBPQ})
string(REGEX MATCH "[0-9]+$" minor ${SEEDCORE_LIBPQ})
math(EXPR number "${major} * 10000 + ${minor}")
target_compile_definitions(seedcore_libpq PRIVATE
  FRONTEND _GNU_SOURCE USE_OPENSSL=1 PG_VERSION="${SEEDCORE_LIBPQ}" PG_VERSION_NUM=${number} PG_MAJORVERSION="${major}"
  PG_MAJORVERSION_NUM=${major} PG_MINORVERSION_NUM=${minor} PG_VERSION_STR="PostgreSQL ${SEEDCORE_LIBPQ}"
  # Of glibc and OpenSSL 3, where pq-src's pg_config.h keeps to what every platform has.
  HAVE_INET_PTON=1 HAVE_EXPLICIT_BZERO=1 HAVE_STRSIGNAL=1 HAVE_DECL_STRCHRNUL=1 HAVE_SSL_CTX_SET_KEYLOG_CALLBACK=1)
target_compile_options(seedcore_libpq PRIVATE -w)
target_include_directories(seedcore_libpq PRIVATE ${written} ${source}/port ${source}/interfaces/libpq)
target_include_directories(seedcore_libpq SYSTEM PUBLIC
  ${source}/interfaces/libpq ${source}/include ${crate}/additional_include)
target_link_libraries(seedcore_libpq PUBLIC OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
add_library(PostgreSQL::PostgreSQL ALIAS seedcore_libpq)

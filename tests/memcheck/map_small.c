/* map_small.c - preloaded under valgrind: a store's map is 4 GiB and not 1 TiB.
 *
 * Valgrind has no room for a map of 1 TiB in one process. The programs under test stay those of the release; only the number that
 * LMDB is given changes. Fails as mdb_env_set_mapsize does; without LMDB in the process nobody calls it. */
#include <dlfcn.h>
#include <errno.h>
#include <lmdb.h>

static const size_t map_size_max = (size_t) 1 << 32;

int mdb_env_set_mapsize (MDB_env *env, size_t size)
{
    int (*set) (MDB_env *, size_t) =
        (int (*) (MDB_env *, size_t)) dlsym (RTLD_NEXT, "mdb_env_set_mapsize");
    if (!set)
        return ENOSYS;
    return set (env, size < map_size_max ? size : map_size_max);
}

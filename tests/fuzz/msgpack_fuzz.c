/* msgpack_fuzz.c - libFuzzer target: any bytes through the msgpack reader.
 *
 * What mp_skip accepts, the typed readers must accept too and take the same bytes; written again by
 * our writer and read again it must give the same bytes a second time. */
#include "base/msgpack.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool fact)
{
    if (!fact)
        abort ();
}

static void copy_value (mp_reader_t *in, buf_t *out);

static void copy_items (mp_reader_t *in, uint64_t count, buf_t *out)
{
    for (uint64_t i = 0; i < count; i++)
        copy_value (in, out);
}

static void copy_value (mp_reader_t *in, buf_t *out)
{
    bytes_t bytes;
    uint32_t count;
    switch (mp_peek (in)) {
    case MP_NIL:
        must (mp_read_nil (in));
        mp_nil (out);
        break;
    case MP_BOOL:
        mp_bool (out, mp_read_bool (in));
        break;
    case MP_INT:
        mp_int (out, mp_read_int (in));
        break;
    case MP_FLOAT:
        mp_float (out, mp_read_float (in));
        break;
    case MP_STR:
        bytes = mp_read_str (in);
        mp_strn (out, (const char *) bytes.data, bytes.size);
        break;
    case MP_BIN:
        bytes = mp_read_bin (in);
        mp_bin (out, bytes.data, bytes.size);
        break;
    case MP_ARRAY:
        count = mp_read_array (in);
        mp_array (out, count);
        copy_items (in, count, out);
        break;
    case MP_MAP:
        count = mp_read_map (in);
        mp_map (out, count);
        copy_items (in, 2 * (uint64_t) count, out);
        break;
    case MP_UINT:
    case MP_EXT:
        mp_raw (out, mp_skip (in));
        break;
    default:
        must (false); /* mp_skip said that a value is here */
    }
    must (!in->failed);
}

static void check_value (bytes_t value)
{
    buf_t once = {0};
    buf_t twice = {0};
    mp_reader_t in = mp_read (value);
    copy_value (&in, &once);
    must (mp_done (&in) && !buf_failed (&once) && once.size <= value.size);
    in = mp_read (buf_bytes (&once));
    copy_value (&in, &twice);
    must (mp_done (&in) && bytes_equal (buf_bytes (&once), buf_bytes (&twice)));
    buf_free (&once);
    buf_free (&twice);
}

/* Every reader on whatever comes next: none may crash, and a failed reader stays at its end. */
static void check_readers (bytes_t all)
{
    for (int reader = 0; reader < 7; reader++) {
        mp_reader_t in = mp_read (all);
        while (!in.failed && in.at < in.end) {
            const uint8_t *before = in.at;
            switch (reader) {
            case 0:
                mp_read_int (&in);
                break;
            case 1:
                mp_read_float (&in);
                break;
            case 2:
                mp_read_str (&in);
                break;
            case 3:
                mp_read_bin (&in);
                break;
            case 4:
                mp_read_id (&in);
                break;
            case 5:
                must (mp_read_array (&in) <= all.size);
                break;
            default:
                must (mp_read_map (&in) <= all.size);
            }
            must (in.at > before && in.at <= in.end);
        }
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    bytes_t all = bytes_of (data, size);
    mp_reader_t in = mp_read (all);
    while (!in.failed && in.at < in.end) {
        bytes_t value = mp_skip (&in);
        must (in.failed == (value.size == 0));
        if (!in.failed)
            check_value (value);
    }
    must (in.failed || mp_done (&in));
    check_readers (all);
    return 0;
}

/* state.c - the simulator's state: made, freed, its clock and its made-up ids. How it fails: it aborts without memory. */
#include "sim.h"
#include "callbacks.h"
#include "meta.h"
#include "telnyx.h"

#include "base/clock.h"
#include "base/text.h"
#include "sign/sign.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 100000, MOST_NUMBERS = 10000, MOST_MEDIA = 20000, MOST_REQUESTS = 40000 };

blob_t *blob_new (bytes_t bytes)
{
    blob_t *self = must_alloc (sizeof *self);
    atomic_init (&self->shares, 1);
    self->size = bytes.size;
    self->data = must_copy (bytes.data, bytes.size);
    return self;
}

blob_t *blob_share (blob_t *self)
{
    atomic_fetch_add (&self->shares, 1);
    return self;
}

void blob_release (blob_t *self)
{
    if (self == NULL || atomic_fetch_sub (&self->shares, 1) > 1)
        return;
    free (self->data);
    free (self);
}

static void json_free (void *value)
{
    cJSON_Delete (value);
}

static void tables_new (sim_t *self)
{
    self->requests = table_new (MOST_REQUESTS, requests_free_entry);
    self->meta_numbers = table_new (MOST_NUMBERS, meta_number_free);
    self->meta_accounts = table_new (MOST_NUMBERS, meta_account_free);
    self->meta_templates = table_new (MOST_NUMBERS, meta_template_free);
    self->meta_messages = table_new (MOST, free);
    self->meta_windows = table_new (MOST, free);
    self->meta_buckets = table_new (MOST, free);
    self->meta_tokens = table_new (MOST_NUMBERS, NULL);
    self->media = table_new (MOST_MEDIA, media_free);
    self->uploads = table_new (100, upload_free);
    self->telnyx_numbers = table_new (MOST_NUMBERS, json_free);
    self->telnyx_profiles = table_new (MOST_NUMBERS, json_free);
    self->telnyx_messages = table_new (MOST, telnyx_message_free);
    self->telnyx_orders = table_new (MOST_NUMBERS, json_free);
    self->telnyx_searched = table_new (MOST_NUMBERS, NULL);
    self->telnyx_opt_outs = table_new (MOST, NULL);
}

static void tables_destroy (sim_t *self)
{
    table_t **const all[] = {&self->requests,        &self->meta_numbers,   &self->meta_accounts,
                             &self->meta_templates,  &self->meta_messages,  &self->meta_windows,
                             &self->meta_buckets,    &self->meta_tokens,    &self->media,
                             &self->uploads,         &self->telnyx_numbers, &self->telnyx_profiles,
                             &self->telnyx_messages, &self->telnyx_orders,  &self->telnyx_searched,
                             &self->telnyx_opt_outs};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        table_destroy (all[i]);
}

sim_t *sim_new (void)
{
    sim_t *self = must_alloc (sizeof *self);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init (&attr);
    pthread_mutexattr_settype (&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init (&self->lock, &attr);
    pthread_mutexattr_destroy (&attr);
    settings_init (&self->settings);
    rules_init (&self->rules);
    self->seed = must_alloc (33);
    sign_random_base62 (self->seed, 32);
    tables_new (self);
    self->callbacks = callbacks_new (self);
    sim_keys_derive (self);
    return self;
}

void sim_destroy (sim_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    sim_t *self = *self_p;
    callbacks_destroy (&self->callbacks);
    tables_destroy (self);
    rules_clear (&self->rules);
    settings_free (&self->settings);
    free (self->base_url);
    free (self->seed);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

int64_t sim_now_ms (const sim_t *self)
{
    return clock_now_ms () + self->clock_offset_ms;
}

void sim_random (sim_t *self, void *out, size_t size)
{
    uint8_t digest[SIGN_SHA256_SIZE];
    for (uint8_t *at = out; size > 0;) {
        uint64_t count = ++self->counter;
        sign_hmac_sha256 (bytes_of_str (self->seed), bytes_of (&count, sizeof count), digest);
        size_t step = size < sizeof digest ? size : sizeof digest;
        memcpy (at, digest, step);
        at += step;
        size -= step;
    }
}

void sim_uuid (sim_t *self, char out[37])
{
    id16_t id;
    sim_random (self, id.b, sizeof id.b);
    id.b[6] = (uint8_t) ((id.b[6] & 0x0f) | 0x40);
    id.b[8] = (uint8_t) ((id.b[8] & 0x3f) | 0x80);
    id_write_uuid (id, out);
}

void sim_digits (sim_t *self, char *out, size_t length)
{
    uint8_t random[32];
    sim_random (self, random, sizeof random);
    for (size_t i = 0; i < length && i < sizeof random; i++)
        out[i] = (char) (i == 0 ? '1' + random[i] % 9 : '0' + random[i] % 10);
    out[length] = '\0';
}

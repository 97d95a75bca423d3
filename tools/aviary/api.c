/* api.c - requests with a key, and their errors as failures. A request that was not answered, or with 5xx, is E_UNAVAILABLE. */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int api_open (const char *data, const char *base, const char *key, arena_t *arena, api_t *out,
              failure_t *failure)
{
    credentials_t found = {0};
    int rc = base && key ? 0 : credentials_read (data, arena, &found, failure);
    if (rc)
        return rc;
    out->key = key ? key : found.test_key;
    out->base = base ? base : found.base_url;
    if (!*out->key || !*out->base)
        return failure_set (
            failure, E_NOT_FOUND, "",
            "%s/credentials.json holds no test key or base URL; give --key and --url", data);
    static const char any[] = "http://0.0.0.0:"; /* listens everywhere: reach it here */
    if (!strncmp (out->base, any, sizeof any - 1))
        out->base = arena_printf (arena, "http://127.0.0.1:%s", out->base + sizeof any - 1);
    return 0;
}

const char *api_text (const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue (cJSON_GetObjectItemCaseSensitive (object, name));
    return text ? text : "";
}

static int code_of (int status)
{
    switch (status) {
    case 401:
        return E_UNAUTHORIZED;
    case 403:
        return E_FORBIDDEN;
    case 404:
        return E_NOT_FOUND;
    case 409:
        return E_CONFLICT;
    case 429:
        return E_RATE_LIMITED;
    default:
        return status >= 500 ? E_UNAVAILABLE : status >= 400 ? E_BAD_REQUEST : E_INTERNAL;
    }
}

static int refused (const char *method, const char *path, int status, const cJSON *answer,
                    failure_t *failure)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive (answer, "error");
    const char *code = api_text (error, "code"), *text = api_text (error, "message");
    return failure_set (failure, code_of (status), api_text (error, "param"), "%s %s: %d%s%s: %s",
                        method, path, status, *code ? " " : "", code, *text ? text : "no message");
}

int api_call (const api_t *self, const char *method, const char *path, cJSON *body,
              const char *repeat, cJSON **answer, failure_t *failure)
{
    char url[2048], header[320];
    const char *headers[] = {repeat ? header : NULL, NULL};
    int status = 0;
    buf_t got = {0};
    if (answer)
        *answer = NULL;
    char *text = body ? cJSON_PrintUnformatted (body) : NULL;
    cJSON_Delete (body);
    if (body && !text)
        return failure_set (failure, E_NO_MEMORY, "", "out of memory");
    snprintf (url, sizeof url, "%s%s", self->base, path);
    if (repeat)
        snprintf (header, sizeof header, "Idempotency-Key: %s", repeat);
    int rc = client_http (method, url, self->key, headers, text, &status, &got, failure);
    cJSON_free (text);
    if (rc) {
        char why[FAILURE_TEXT_SIZE];
        snprintf (why, sizeof why, "%s", failure->text);
        rc = failure_set (failure, rc, "", "%s %s: %s", method, url, why);
    } else {
        cJSON *root = got.size ? cJSON_ParseWithLength ((const char *) got.data, got.size) : NULL;
        if (status < 200 || status > 299)
            rc = refused (method, path, status, root, failure);
        else if (answer && root)
            *answer = root;
        else if (answer)
            rc = failure_set (failure, E_INTERNAL, "", "%s %s: %d with a body that is no JSON",
                              method, path, status);
        if (root && (rc || !answer))
            cJSON_Delete (root);
    }
    buf_free (&got);
    return rc;
}

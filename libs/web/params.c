/* params.c - reading header values with parameters (RFC 9110 section 5.6.6), within the bytes given. Malformed text sticks in `failed`. */
#include "web/params.h"

#include <string.h>
#include <strings.h>

static bool is_token_char (char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr ("!#$%&'*+-.^_`|~", c) != NULL);
}

bool params_is_token (const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_token_char (text[i]))
            return false;
    return size > 0;
}

static bool is_blank (char c)
{
    return c == ' ' || c == '\t';
}

static void blanks_skip (params_t *self)
{
    while (self->at < self->end && is_blank (*self->at))
        self->at++;
}

bool params_start (params_t *self, const char *text, size_t size)
{
    *self = (params_t){.at = text, .end = text + size};
    blanks_skip (self);
    self->value = self->at;
    const char *stop =
        self->at < self->end ? memchr (self->at, ';', (size_t) (self->end - self->at)) : NULL;
    self->at = stop != NULL ? stop : self->end;
    self->value_size = (size_t) (self->at - self->value);
    while (self->value_size > 0 && is_blank (self->value[self->value_size - 1]))
        self->value_size--;
    return self->value_size > 0;
}

bool params_value_is (const params_t *self, const char *want)
{
    return strlen (want) == self->value_size &&
           strncasecmp (self->value, want, self->value_size) == 0;
}

bool params_name_is (const param_t *self, const char *want)
{
    return strlen (want) == self->name_size && strncasecmp (self->name, want, self->name_size) == 0;
}

/* From after the opening quote past the closing one. */
static bool quoted_read (params_t *self, param_t *param, char *out, size_t capacity)
{
    for (; self->at < self->end && *self->at != '"'; self->at++) {
        if (*self->at == '\\' && self->at + 1 < self->end &&
            (self->at[1] == '"' || self->at[1] == '\\'))
            self->at++;
        if (param->size + 1 >= capacity)
            return false;
        out[param->size++] = *self->at;
    }
    if (self->at == self->end)
        return false;
    self->at++;
    return true;
}

/* What is not quoted is taken more widely than a token: clients send "/", "=" and ":" in boundaries. */
static bool plain_read (params_t *self, param_t *param, char *out, size_t capacity)
{
    for (; self->at < self->end && *self->at != ';' && !is_blank (*self->at); self->at++) {
        if (*self->at == '"' || (unsigned char) *self->at < ' ' || param->size + 1 >= capacity)
            return false;
        out[param->size++] = *self->at;
    }
    return param->size > 0;
}

static bool param_read (params_t *self, param_t *param, char *out, size_t capacity)
{
    self->at++; /* the ";" */
    blanks_skip (self);
    param->name = self->at;
    while (self->at < self->end && is_token_char (*self->at))
        self->at++;
    param->name_size = (size_t) (self->at - param->name);
    if (param->name_size == 0 || self->at == self->end || *self->at++ != '=')
        return false;
    bool quoted = self->at < self->end && *self->at == '"';
    self->at += quoted;
    if (!(quoted ? quoted_read : plain_read) (self, param, out, capacity))
        return false;
    out[param->size] = '\0';
    blanks_skip (self);
    return self->at == self->end || *self->at == ';';
}

bool params_next (params_t *self, param_t *param, char *out, size_t capacity)
{
    if (self->failed || self->at == self->end)
        return false;
    *param = (param_t){0};
    self->failed = !param_read (self, param, out, capacity);
    return !self->failed;
}

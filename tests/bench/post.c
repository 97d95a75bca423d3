/* post.c - libcurl multi alone, posting the same bytes again and again: what a webhook delivery costs without anything around it.
 *
 *   bench_post URL FILE AT_ONCE SECONDS      FILE is a request as it came (bench_receiver's /last): its headers and its body are sent
 *
 * Prints "RESULT posts=N failed=N duration_us=N". How it fails: exit 69 without curl or the file. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { REQUEST_MAX = 64 * 1024, AT_ONCE_MAX = 512 };

typedef struct poster {
    CURLM *multi;
    struct curl_slist *headers;
    const char *url;
    const char *body;
    long body_size;
    unsigned long posts, failed;
} poster_t;

static long long now_us (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static size_t drop (char *data, size_t size, size_t count, void *context)
{
    (void) data;
    (void) context;
    return size * count;
}

static int header_is (const char *line, const char *name)
{
    return strncasecmp (line, name, strlen (name)) == 0;
}

/* Takes the request apart in place. */
static int request_read (poster_t *self, char *request, size_t size)
{
    char *end = strstr (request, "\r\n\r\n"), *rest;
    if (!end)
        return -1;
    *end = 0;
    self->body = end + 4;
    self->body_size = (long) (size - (size_t) (self->body - request));
    if (!strtok_r (request, "\r\n", &rest))
        return -1;
    for (char *line; (line = strtok_r (NULL, "\r\n", &rest));)
        if (!header_is (line, "Host:") && !header_is (line, "Content-Length:"))
            self->headers = curl_slist_append (self->headers, line);
    return 0;
}

static void post_start (poster_t *self, CURL *easy)
{
    curl_easy_reset (easy);
    curl_easy_setopt (easy, CURLOPT_URL, self->url);
    curl_easy_setopt (easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE, self->body_size);
    curl_easy_setopt (easy, CURLOPT_POSTFIELDS, self->body);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle (self->multi, easy);
}

/* What ended is counted and starts anew, until the time is over. */
static void posts_take (poster_t *self, int again)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read (self->multi, &left));) {
        CURL *easy = m->easy_handle;
        long status = 0;
        curl_easy_getinfo (easy, CURLINFO_RESPONSE_CODE, &status);
        self->posts++;
        self->failed += m->data.result != CURLE_OK || status != 200;
        curl_multi_remove_handle (self->multi, easy);
        if (again)
            post_start (self, easy);
        else
            curl_easy_cleanup (easy);
    }
}

int main (int argc, char **argv)
{
    static char request[REQUEST_MAX];
    FILE *file = argc == 5 ? fopen (argv[2], "rb") : NULL;
    if (!file) {
        fputs ("usage: bench_post URL FILE AT_ONCE SECONDS\n", stderr);
        return 64;
    }
    size_t size = fread (request, 1, sizeof request - 1, file);
    fclose (file);
    curl_global_init (CURL_GLOBAL_DEFAULT);
    poster_t self = {.multi = curl_multi_init (), .url = argv[1]};
    if (!self.multi || request_read (&self, request, size))
        return 69;
    int at_once = atoi (argv[3]), running = 0;
    for (int i = 0; i < at_once && i < AT_ONCE_MAX; i++)
        post_start (&self, curl_easy_init ());
    long long began = now_us (), until = began + atoll (argv[4]) * 1000000;
    do {
        curl_multi_perform (self.multi, &running);
        posts_take (&self,
                    now_us () < until); /* what starts anew is due at once: poll does not wait */
        curl_multi_poll (self.multi, NULL, 0, 100, NULL);
    } while (now_us () < until || running > 0);
    posts_take (&self, 0);
    printf ("RESULT posts=%lu failed=%lu duration_us=%lld\n", self.posts, self.failed,
            now_us () - began);
    curl_slist_free_all (self.headers);
    curl_multi_cleanup (self.multi);
    curl_global_cleanup ();
    return 0;
}

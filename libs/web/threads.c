/* threads.c - threads for requests that block: long bodies, streamed answers. Made when they are needed, up to the configured number; then requests wait for one. */
#include "web/server.h"

#include <stdlib.h>

void threads_begin (threads_t *self)
{
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
}

/* NULL at the end. */
static conn_t *conn_take (threads_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->idle++;
    while (self->first == NULL && !self->ending)
        pthread_cond_wait (&self->changed, &self->lock);
    self->idle--;
    conn_t *conn = self->first;
    if (conn != NULL) {
        self->first = (conn_t *) (void *) conn->item.next;
        self->waiting--;
    }
    pthread_mutex_unlock (&self->lock);
    return conn;
}

static void *thread_run (void *context)
{
    threads_t *self = context;
    for (conn_t *conn; (conn = conn_take (self)) != NULL;) {
        queue_t *back = conn->loop->returned;
        conn->request.on_thread = true;
        request_run (&conn->request, conn->begun);
        conn->request.on_thread = false;
        queue_put (back, &conn->item);
    }
    return NULL;
}

static bool thread_add (threads_t *self, unsigned most)
{
    if (self->count == most)
        return false;
    if (self->at == NULL)
        self->at = calloc (most, sizeof *self->at);
    if (self->at == NULL || pthread_create (&self->at[self->count], NULL, thread_run, self) != 0)
        return false;
    self->count++;
    return true;
}

bool threads_put (web_server_t *server, conn_t *conn)
{
    threads_t *self = &server->threads;
    conn->item.next = NULL;
    pthread_mutex_lock (&self->lock);
    if (self->idle <= self->waiting)
        thread_add (self, server->config.threads);
    bool good = self->count > 0;
    if (good) {
        if (self->first == NULL)
            self->first = conn;
        else
            self->last->item.next = &conn->item;
        self->last = conn;
        self->waiting++;
        pthread_cond_signal (&self->changed);
    }
    pthread_mutex_unlock (&self->lock);
    return good;
}

void threads_end (threads_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->ending = true;
    pthread_cond_broadcast (&self->changed);
    pthread_mutex_unlock (&self->lock);
    for (unsigned i = 0; i < self->count; i++)
        pthread_join (self->at[i], NULL);
    free (self->at);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
}

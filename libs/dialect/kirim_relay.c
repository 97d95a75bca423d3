/* kirim_relay.c - one message or one status as Meta's webhook would tell it: the item as Meta gave it where there is one, else built from our fields. Fails only for
 * memory, which sticks to the buf. */
#include "dialect/kirim_event.h"

#include "gen/messaging.h"

#include <stdlib.h>

/* What Meta calls failures of ours that came without a code of a carrier's. */
static const struct {
    int code;
    int64_t native;
} natives[] = {
    {E_CONVERSATION_WINDOW_EXPIRED, 131047},
    {E_RECIPIENT_NOT_ON_WHATSAPP, 131026},
    {E_TEMPLATE_NOT_FOUND, 132001},
    {E_TEMPLATE_PARAMETER_MISMATCH, 132000},
    {E_MEDIA_TOO_LARGE, 131053},
    {E_ACCOUNT_RESTRICTED, 131031},
    {E_WHATSAPP_RATE_LIMITED, 131056},
    {E_CARRIER_RATE_LIMITED, 130429},
};

enum { NATIVE_ANY = 131000 };

static int64_t native_of (const messaging_error_told_t *error)
{
    const messaging_provider_error_t *provider = error->provider;
    int64_t said = provider && provider->code ? strtoll (provider->code, NULL, 10) : 0;
    if (provider && said <= 0)
        said = provider->number;
    for (size_t i = 0; said <= 0 && i < sizeof natives / sizeof *natives; i++)
        if (natives[i].code == error->code)
            said = natives[i].native;
    return said > 0 ? said : NATIVE_ANY;
}

static void errors_write (const messaging_error_told_t *error, buf_t *out)
{
    const messaging_provider_error_t *provider = error->provider;
    const char *text = error->message ? error->message : "Message failed.";
    const char *title = provider && provider->message ? provider->message : text;
    buf_printf (out, ",\"errors\":[{\"code\":%lld", (long long) native_of (error));
    kirim_member (out, "title", title);
    kirim_member (out, "message", title);
    buf_add_str (out, ",\"error_data\":{\"details\":");
    schema_json_string (out, text);
    buf_add_str (out, "}}]");
}

static void status_write (const kirim_relay_t *relay, buf_t *out)
{
    const messaging_content_t *content = relay->content;
    buf_add_str (out, "{\"id\":");
    schema_json_string (out, relay->provider_id);
    kirim_member (out, "status", relay->status);
    buf_printf (out, ",\"timestamp\":\"%lld\"", (long long) (relay->at / 1000));
    kirim_member (out, "recipient_id", kirim_digits (content->to));
    if (relay->error)
        errors_write (relay->error, out);
    buf_add_str (out, "}");
}

static const char *profile_name (const kirim_relay_t *relay)
{
    if (relay->content->contact_name)
        return relay->content->contact_name;
    return relay->thread && relay->thread->name ? relay->thread->name : "";
}

static void contacts_write (const kirim_relay_t *relay, const char *peer, buf_t *out)
{
    buf_add_str (out, ",\"contacts\":[{\"profile\":{\"name\":");
    schema_json_string (out, profile_name (relay));
    buf_add_str (out, "},\"wa_id\":");
    schema_json_string (out, kirim_digits (peer));
    buf_add_str (out, "}]");
}

static void item_write (const kirim_relay_t *relay, buf_t *out)
{
    if (relay->raw.size)
        schema_any_write (relay->raw, out);
    else if (relay->status)
        status_write (relay, out);
    else
        kirim_item_write (relay, out);
}

void kirim_relay_write (const kirim_relay_t *relay, buf_t *out)
{
    const messaging_thread_told_t *thread = relay->thread;
    const messaging_content_t *content = relay->content;
    const char *ours = relay->status ? content->from : content->to;
    const char *ref = thread && thread->number_ref ? thread->number_ref : "";
    buf_add_str (out, "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":");
    schema_json_string (out, thread && thread->waba ? thread->waba : ref);
    buf_add_str (out, ",\"changes\":[{\"value\":{\"messaging_product\":\"whatsapp\","
                      "\"metadata\":{\"display_phone_number\":");
    schema_json_string (out, kirim_digits (thread && thread->number ? thread->number : ours));
    kirim_member (out, "phone_number_id", ref);
    buf_add_str (out, "}");
    if (!relay->status)
        contacts_write (relay, content->from, out);
    buf_printf (out, ",\"%s\":[", relay->status ? "statuses" : "messages");
    item_write (relay, out);
    buf_add_str (out, "]},\"field\":\"messages\"}]}]}");
}

//! Of jobs, received and sent webhooks, and mails.

text_enums! {
    /// Where a received webhook stands.
    InboxState { Received = "received", Processed = "processed", Dead = "dead", }
    /// Where a job stands.
    JobState { Queued = "queued", Done = "done", Dead = "dead", }
    /// When somebody is mailed what their organisation is told.
    MailMode { Immediate = "immediate", Daily = "daily", Off = "off", }
    /// Where a mail stands.
    MailState {
        /// Waits to be handed over, or for its next try.
        Pending = "pending",
        Sent = "sent",
        /// Refused for good, or tried as often as it is.
        Dead = "dead",
        /// Its reader has left, or wants no mails any more.
        Dropped = "dropped",
    }
    /// Where a webhook delivery stands.
    WebhookDeliveryState {
        /// Waits for its turn, or for its next try.
        Pending = "pending",
        /// The endpoint has taken it.
        Delivered = "delivered",
        /// The dead letter: it was tried as often as it is, and can be retried by hand.
        Dead = "dead",
    }
    /// Why a webhook endpoint is not sent anything.
    WebhookDisabled {
        /// Its owner said so.
        Owner = "owner",
        /// It answered 410 Gone.
        Gone = "gone",
        /// It failed for days.
        Failing = "failing",
    }
    /// Why an attempt to deliver a webhook got no answer.
    WebhookFailure {
        /// The address is not one that the exchange sends to.
        Refused = "refused",
        /// The name is unknown, or stands for no address that the exchange sends to.
        Unresolved = "unresolved",
        /// Nobody took the connection, or it broke.
        Connection = "connection",
        /// It took too long.
        Timeout = "timeout",
        /// Its certificate is of no authority that the exchange trusts; one that it signed itself, among others.
        UntrustedCertificate = "untrusted_certificate",
        /// Its certificate has expired, or is not valid yet.
        ExpiredCertificate = "expired_certificate",
        /// Its certificate is for another name.
        CertificateForAnotherName = "certificate_for_another_name",
        /// It does not speak TLS, or not as it has to.
        Tls = "tls",
    }
}

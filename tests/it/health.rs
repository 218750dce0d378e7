use crate::support::on_both;

on_both! {
    async fn a_fresh_exchange_is_alive_and_ready(app) {
        for path in ["/health/live", "/health/ready"] {
            let answer = app.get(path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert_eq!(answer.json()["status"], "ok");
        }
    }

    async fn an_unknown_address_is_a_problem_document_with_the_request_id(app) {
        let answer = app.request("GET", "/nowhere").header("x-request-id", "mine-1").send().await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("x-request-id"), "mine-1");
        assert_eq!(answer.json()["type"], "/problems/not-found");
        assert_eq!(answer.json()["instance"], "mine-1");
    }

    async fn a_wrong_method_says_which_are_taken(app) {
        let answer = app.request("DELETE", "/health/live").send().await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.json()["type"], "/problems/method-not-allowed");
        assert!(answer.header("allow").contains("GET"));
    }
}

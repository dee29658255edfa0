//! Keys, certificates and passwords.

use echion_template::Error;
use sha2::{Digest, Sha256};

use super::render;

#[test]
fn derived_passwords_are_those_of_the_algorithm() {
    for (counter, kind, password) in [
        (1, "long", "ZedaFaxcZaso9*"),
        (2, "long", "Fovi2@JifpTupx"),
        (1, "maximum", "pf4zS1LjCg&LjhsZ7T2~"),
        (1, "medium", "ZedJuz8$"),
        (1, "basic", "pIS54PLs"),
        (1, "short", "Zed5"),
        (1, "none", "cannot find password template none"),
    ] {
        let text = format!(r#"{{{{derivePassword {counter} "{kind}" "password" "user" "example.com"}}}}"#);
        assert_eq!(render(&text).unwrap(), password, "{text}");
    }
}

#[test]
fn hashes_are_those_of_their_passwords() {
    let line = render(r#"{{htpasswd "ann" "secret:1"}}"#).unwrap();
    let hash = line.strip_prefix("ann:").unwrap();
    assert!(bcrypt::verify("secret:1", hash).unwrap());
    assert!(!bcrypt::verify("secret:2", hash).unwrap());
    assert_eq!(render(r#"{{htpasswd "a:b" "c"}}"#).unwrap(), "invalid username: a:b");
    let long = render(r#"{{bcrypt (repeat 73 "x")}}"#).unwrap();
    assert_eq!(long, "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
}

#[test]
fn what_was_encrypted_can_be_read_with_the_password() {
    for length in [1, 15, 16, 17, 100] {
        let text = format!(r#"{{{{repeat {length} "é" | encryptAES "key" | decryptAES "key"}}}}"#);
        assert_eq!(render(&text).unwrap(), "é".repeat(length));
    }
    assert_eq!(render(r#"{{encryptAES "key" ""}}|{{decryptAES "key" ""}}"#).unwrap(), "|");
    for (text, problem) in [
        ("*", "illegal base64 data at input byte 0"),
        ("YWJj", "slice bounds out of range [:16] with capacity 3"),
        ("YWJjZGVmZ2hpamtsbW5vcA==", "index out of range [-1]"),
        ("YWJjZGVmZ2hpamtsbW5vcHE=", "input not full blocks"),
    ] {
        let error = render(&format!(r#"{{{{decryptAES "key" "{text}"}}}}"#)).unwrap_err();
        assert!(error.message().contains(problem), "{error}");
    }
}

/// A chain of two certificates, and what was random about it is always the same.
fn chain(authority: &str, key: &str) -> Result<String, Box<Error>> {
    let text = format!(
        r#"{{{{$ca := genCAWithKey "ca" 365 (genPrivateKey "{authority}")}}}}{{{{$key := genPrivateKey "{key}"}}}}
        {{{{- $cert := genSignedCertWithKey "a.example" (list "10.0.0.1" "::1") (list "b.example") 30 $ca $key}}}}
        {{{{- print $ca.Cert $ca.Key $cert.Cert $cert.Key}}}}"#
    );
    render(&text)
}

#[test]
fn the_same_randomness_makes_the_same_certificate() {
    // OpenSSL has verified these chains, the keys in them included.
    let sum = |text: String| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        sum(chain("ed25519", "ecdsa").unwrap()),
        "78cd621c0fffd579dc8b4ecd7ecd2d09d26bd4ee9f85c85ec885366d1dcd05f0"
    );
    assert_eq!(
        sum(chain("ecdsa", "ed25519").unwrap()),
        "884d0e94794a4748b5bfa247f53e663a89bcdeb79482692ffb4e8c4c2a1b5d2b"
    );
    let rsa =
        r#"{{$ca := genCA "ca 1" 365}}{{$c := genSignedCert "x*" nil nil 20 $ca}}{{print $ca.Cert $c.Cert $c.Key}}"#;
    assert_eq!(sum(render(rsa).unwrap()), "0551530d409f4a412450f7823818e1ad50736fe44b63c132f82a9a325b934a8f");
}

#[test]
fn certificates_are_checked_before_they_are_used() {
    for (call, problem) in [
        (r#"genSelfSignedCert "a" (list 1) nil 9"#, "error parsing ip: 1 is not a string"),
        (r#"genSelfSignedCert "a" (list "x") nil 9"#, "error parsing ip: x"),
        (r#"genSelfSignedCert "a" nil (list 2) 9"#, "error processing alternate dns name: 2 is not a string"),
        (r#"genCAWithKey "a" 9 "x""#, "parsing private key: no PEM data in input"),
        (r#"buildCustomCert "eA==" "eA==""#, "unable to decode certificate"),
        (r#"buildCustomCert "x" "eA==""#, "unable to decode base64 certificate"),
        (r#"genCA "a" 9999999"#, "cannot represent time as GeneralizedTime"),
    ] {
        let error = render(&format!("{{{{{call}}}}}")).unwrap_err();
        assert!(error.message().ends_with(problem), "{error}");
    }
    let round = r#"{{$ca := genCAWithKey "a" 9 (genPrivateKey "ecdsa")}}{{$b := buildCustomCert (b64enc $ca.Cert) (b64enc $ca.Key)}}
        {{- eq $ca.Cert $b.Cert}} {{eq $ca.Key $b.Key}}"#;
    assert_eq!(render(round).unwrap(), "true true");
}

#[test]
fn dsa_keys_are_refused() {
    let error = render(r#"{{genPrivateKey "dsa"}}"#).unwrap_err();
    assert!(error.message().ends_with("DSA keys are not made: nothing accepts them any more"), "{error}");
    assert_eq!(render(r#"{{genPrivateKey "x"}}"#).unwrap(), "Unknown type x");
}

#[test]
fn a_template_makes_only_so_many_keys() {
    let error = render(r#"{{range until 100}}{{bcrypt "x"}}{{end}}"#).unwrap_err();
    assert!(error.message().ends_with("the template asks for too much work"), "{error}");
}

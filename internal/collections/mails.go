package collections

import "github.com/pandobase/pando"

// The mails of a new auth collection. {APP_NAME}, {APP_URL}, {TOKEN}, {OTP} and
// {ALERT_INFO} are filled in when one is sent.
var (
	verificationMail = pando.EmailTemplate{
		Subject: "{APP_NAME}: is this your address?",
		Body: `<p>Welcome to {APP_NAME}.</p>
<p>Please tell us that this address is yours:</p>
<p><a class="btn" href="{APP_URL}/_/#/auth/confirm-verification/{TOKEN}" target="_blank" rel="noopener">Yes, it is mine</a></p>
<p>The people of {APP_NAME}</p>`,
	}
	resetMail = pando.EmailTemplate{
		Subject: "{APP_NAME}: choose a new password",
		Body: `<p>Somebody, we hope you, wants a new password for your account at {APP_NAME}.</p>
<p><a class="btn" href="{APP_URL}/_/#/auth/confirm-password-reset/{TOKEN}" target="_blank" rel="noopener">Choose a new password</a></p>
<p>If it was not you, there is nothing to do: your password stays what it is.</p>
<p>The people of {APP_NAME}</p>`,
	}
	changeMail = pando.EmailTemplate{
		Subject: "{APP_NAME}: use this address from now on?",
		Body: `<p>Your account at {APP_NAME} is to use this address from now on.</p>
<p><a class="btn" href="{APP_URL}/_/#/auth/confirm-email-change/{TOKEN}" target="_blank" rel="noopener">Use this address</a></p>
<p>If you did not ask for that, there is nothing to do: the old address stays.</p>
<p>The people of {APP_NAME}</p>`,
	}
	otpMail = pando.EmailTemplate{
		Subject: "{APP_NAME}: your code",
		Body: `<p>To log in, type this code: <strong>{OTP}</strong></p>
<p>If you are not logging in, tell nobody the code.</p>
<p>The people of {APP_NAME}</p>`,
	}
	alertMail = pando.EmailTemplate{
		Subject: "{APP_NAME}: a login from somewhere new",
		Body: `<p>Your account at {APP_NAME} was used to log in from a place that we have not seen before:</p>
<p>{ALERT_INFO}</p>
<p>If that was you, all is well. If not, <strong>change your password now</strong>: it ends every session.</p>
<p>The people of {APP_NAME}</p>`,
	}
)

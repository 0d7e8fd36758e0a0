/**
 * Stripe's own form in the page. Its script comes from Stripe's address and nowhere else, only when somebody pays with it; what is
 * typed into the form goes from Stripe's frame to Stripe and never through this app or our server.
 */
const SCRIPT = "https://js.stripe.com/v3/";

export interface StripeError {
  message?: string;
}

interface Intent {
  status: string;
}

export interface StripeElement {
  mount: (node: HTMLElement) => void;
  destroy: () => void;
  on: (event: "ready" | "loaderror", listener: () => void) => void;
}

export interface StripeElements {
  create: (type: "payment") => StripeElement;
}

interface Confirm {
  elements: StripeElements;
  confirmParams: { return_url: string };
  redirect: "if_required";
}

export interface Stripe {
  elements: (options: { clientSecret: string; appearance?: object }) => StripeElements;
  confirmPayment: (options: Confirm) => Promise<{ error?: StripeError }>;
  confirmSetup: (options: Confirm) => Promise<{ error?: StripeError }>;
  retrievePaymentIntent: (secret: string) => Promise<{ paymentIntent?: Intent; error?: StripeError }>;
  handleNextAction: (options: { clientSecret: string }) => Promise<{ error?: StripeError }>;
}

type Factory = (key: string) => Stripe;

let loading: Promise<Factory> | undefined;

function factory(): Factory | undefined {
  return (window as unknown as { Stripe?: Factory }).Stripe;
}

function load(): Promise<Factory> {
  loading ??= new Promise<Factory>((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SCRIPT;
    script.async = true;
    script.onload = () => {
      const made = factory();
      if (made) resolve(made);
      else reject(new Error("Stripe's script did not start"));
    };
    script.onerror = () => {
      script.remove();
      reject(new Error("Stripe's script did not load"));
    };
    document.head.append(script);
  }).catch((error: unknown) => {
    loading = undefined; // the next try loads it again
    throw error;
  });
  return loading;
}

/** Stripe for a publishable key. Throws Error when the key is none, or the script cannot be loaded. */
export async function stripeFor(publishableKey: string): Promise<Stripe> {
  if (!/^pk_(test|live)_\w+$/.test(publishableKey)) throw new Error("not a publishable key");
  return (factory() ?? (await load()))(publishableKey);
}

// The one part of Bootstrap's scripts that the web app uses.
declare module "bootstrap/js/dist/offcanvas" {
  export default class Offcanvas {
    constructor(element: Element);
    show(): void;
    hide(): void;
    dispose(): void;
  }
}
